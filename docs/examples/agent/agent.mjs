// A small agent that talks over JSON lines, in plain Node: messages come on standard input, events leave on standard output.
//   npx sluice run chat --json -- node docs/examples/agent/agent.mjs
// It answers word by word. "count FOLDER" counts the files and words of a folder, "read FILE" reads a file aloud.
import { readdirSync, readFileSync, realpathSync } from "node:fs"
import { join, relative, sep } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as sleep } from "node:timers/promises"

const perWord = 20 // milliseconds
const emit = (name, data) => process.stdout.write(`${JSON.stringify({ name, data })}\n`)
const wordsOf = (text) => text.match(/\S+/g) ?? []

/** Nothing outside of the folder that it was started in. */
const within = (path) => {
  const root = realpathSync(".")
  const real = realpathSync(join(root, path))
  if (real !== root && !real.startsWith(root + sep)) throw new Error(`${path} is not in my folder`)
  return real
}

const count = (folder) => {
  const entries = readdirSync(within(folder), { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  const sizes = files.map((file) => ({ file: relative(".", file), words: wordsOf(readFileSync(file, "utf8")).length }))
  const words = sizes.reduce((sum, size) => sum + size.words, 0)
  const [longest] = sizes.sort((a, b) => b.words - a.words)
  return { files: files.length, words, longest: longest?.file ?? null }
}

/** What it has to say, after it has looked. */
const think = (id, prompt) => {
  const [verb, path] = wordsOf(prompt)
  const tool = { count, read: (file) => readFileSync(within(file), "utf8") }[verb]
  if (tool === undefined || path === undefined) return `You said: ${prompt}. I can count FOLDER and read FILE.`
  emit("tool", { id, tool: verb, input: path, state: "running" })
  try {
    const found = tool(path)
    if (verb === "read") {
      emit("tool", { id, tool: verb, input: path, state: "done", output: { words: wordsOf(found).length } })
      return found
    }
    emit("tool", { id, tool: verb, input: path, state: "done", output: found })
    return `${path} has ${found.files} files with ${found.words} words. The longest is ${found.longest}.`
  } catch (error) {
    emit("tool", { id, tool: verb, input: path, state: "failed", output: error.message })
    return `I could not ${verb} ${path}.`
  }
}

const answer = async ({ data, id }, signal) => {
  let words = 0
  try {
    for (const text of wordsOf(think(id, typeof data === "string" ? data : JSON.stringify(data)))) {
      await sleep(perWord, undefined, { signal })
      emit("delta", { id, text: words++ === 0 ? text : ` ${text}` })
    }
    emit("done", { id, words })
  } catch (error) {
    if (!signal.aborted) throw error
    emit("cancelled", { id, words })
  }
}

let turn
// An interrupt breaks off the turn under way, if any; the agent lives on. SIGTERM ends it, as any program.
process.on("SIGINT", () => turn?.abort())
// Whoever listened is gone: there is nobody to work for.
process.stdout.on("error", () => process.exit(1))

// One turn after the other; lines that come meanwhile wait. It ends with its input.
for await (const line of createInterface({ input: process.stdin })) {
  // A signal that was sent before this line may be heard after it: it was for what went before.
  await sleep(perWord)
  turn = new AbortController()
  await answer(JSON.parse(line), turn.signal)
  turn = undefined
}
