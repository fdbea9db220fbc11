/**
 * The bounds of one step of retention. The embedded store works on the main thread: a step of this size keeps the
 * streams waiting for a few milliseconds, the whole of a large log would keep them for seconds.
 */
export const maxRows = 500
export const maxBytes = 4_194_304
