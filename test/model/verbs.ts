/**
 * The verbs by number: what a log entry and a printed step are tagged with.
 *
 * The order carries two facts. Verbs up to LAST_STEP change or observe shared memory in a way that
 * others may notice, or are plain writes: a worker may be killed after each of them, and they are
 * what "steps" counts. The rest (plain reads, the clock, notes for the history) is work that only
 * its own thread can see.
 */

export const LOAD = 0
export const STORE = 1
export const ADD = 2
export const SWAP = 3
export const CAS = 4
export const OR = 5
export const AND = 6
export const PAUSE = 7
export const SLEEP = 8
export const WAIT = 9
export const NOTIFY = 10
export const LOOK = 11
export const POKE = 12
export const FILL = 13
export const POKE_FLOAT = 14
export const POKE_BYTE = 15
export const WRITE_BYTES = 16
export const TALLY = 17

export const LAST_STEP = TALLY

export const PEEK = 18
export const PEEK_FLOAT = 19
export const PEEK_BYTE = 20
export const READ_BYTES = 21
export const TALLIED = 22
export const PEEK_RACY = 23
export const NOW = 24
export const CHOOSE = 25
export const EVENT = 26
export const BEGIN = 27
export const END = 28
/** A call that threw instead of acting, and the end of the attempt that it has ended. */
export const FAULT = 29
export const CAUGHT = 30

const NAMES =
  'load store add swap cas or and pause sleep wait notify look poke fill pokeFloat pokeByte writeBytes tally peek peekFloat peekByte readBytes tallied peekRacy now choose event begin end fault caught'.split(
    ' ',
  )

export function nameOf(verb: number): string {
  return NAMES[verb] ?? `verb ${verb}`
}

/** Whether the printed step should show what the word holds afterwards. */
export function writes(verb: number): boolean {
  return (verb >= STORE && verb <= AND) || (verb >= POKE && verb <= TALLY)
}

/** Whether the answer of the verb says something. */
export function answers(verb: number): boolean {
  return verb === LOAD || (verb >= ADD && verb <= AND) || verb === LOOK || verb >= PEEK
}
