/** Where a page tells of itself. In Node there is none, and nothing is heard. */
export interface Page {
  readonly window: EventTarget | undefined
  /** Its `visibilityState` is read. */
  readonly document: EventTarget | undefined
}

export interface Ears {
  /** It became visible, came back from the bfcache, or the network came back: time may have stood still. */
  readonly onReturn: () => void
  /** The platform says that the network is gone, or is there again. */
  readonly onNetwork: (isDown: boolean) => void
}

const targetOf = (value: unknown): EventTarget | undefined => (value instanceof EventTarget ? value : undefined)

/** `document` is no name that Node knows. */
export const platform = (): Page => ({
  window: targetOf(globalThis),
  document: targetOf(Reflect.get(globalThis, "document"))
})

/** The result ends it. */
export const listen = ({ document, window }: Page, { onNetwork, onReturn }: Ears): (() => void) => {
  const undo: Array<() => void> = []
  const on = (target: EventTarget | undefined, name: string, act: (event: Event) => void) => {
    target?.addEventListener(name, act)
    undo.push(() => target?.removeEventListener(name, act))
  }
  on(document, "visibilitychange", () => {
    if (document !== undefined && Reflect.get(document, "visibilityState") === "visible") onReturn()
  })
  on(window, "pageshow", (event) => {
    if (Reflect.get(event, "persisted") === true) onReturn()
  })
  on(window, "online", () => {
    onNetwork(false)
    onReturn()
  })
  on(window, "offline", () => onNetwork(true))
  return () => {
    for (const remove of undo) remove()
  }
}
