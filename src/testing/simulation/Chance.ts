import { Utils } from "effect"

/** What a seed decides, choice by choice. The same seed and the same questions have the same answers, on every machine. */
export class Chance {
  private readonly source: Utils.PCGRandom

  /** Any integer. */
  constructor(seed: number) {
    this.source = new Utils.PCGRandom(seed)
  }

  /** 0, 1 … `count` - 1; `count` is 1 or more. */
  below(count: number): number {
    return count === 1 ? 0 : this.source.integer(count)
  }

  /** One time in `count`. */
  oneIn(count: number): boolean {
    return this.below(count) === 0
  }

  /** A UUID of version 4. */
  readonly uuid = (): string => {
    const digits = (count: number) => Array.from({ length: count }, () => this.below(16).toString(16)).join("")
    const variant = (8 + this.below(4)).toString(16)
    return `${digits(8)}-${digits(4)}-4${digits(3)}-${variant}${digits(3)}-${digits(12)}`
  }
}
