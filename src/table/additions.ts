/**
 * Changing an atomic field of a record in place: what `table.add` and `table.compareExchange` check, and
 * how they wait.
 *
 * Where they meet a seal, the record is most likely about to be replaced by a worker that holds its lock
 * for some steps, and then there is a new one. So they look the key up again, a few times at once. Then it
 * may be sealed by somebody who asks for a moment, see seals.ts, and they sleep, less than a millisecond in
 * all. Or by one who is dead, or was thrown out; or the number in it is SEAL: then they take the lock,
 * under which it can be changed whatever the reason. So they wait without bound for nobody.
 *
 * Inside a section of the caller's they do not sleep, since that holds memory back, but do take the lock.
 * That is no deadlock: who holds the lock of a stripe waits for nothing, and never for readers.
 */

import { Misuse, show } from '../base/errors.ts'
import type { AtomicField } from '../record/atomic.ts'
import { refuse } from '../record/field.ts'
import type { Schema } from '../record/record.ts'
import type { Space } from '../space/space.ts'

const AT_ONCE = 10
const SLEEPS = 4
const FIRST_SLEEP_MS = 0.05

/** The atomic field of this name; Misuse if there is none. */
export function atomicOf(
  verb: string,
  table: string,
  schema: Pick<Schema, 'atomics' | 'fields'>,
  name: unknown,
): AtomicField {
  const { atomics } = schema
  for (let i = 0; i < atomics.length; i++) {
    const each = atomics[i] as AtomicField
    if (each.name === name) return each
  }
  const other = schema.fields.find((place) => place.name === name)
  const what = other === undefined ? 'there is no such field' : `it is ${other.type}`
  const known = atomics.map((each) => each.name).join(', ')
  throw new Misuse(
    `table.${verb}: table ${show(table)}: field ${show(name)} is not atomic: ${what}; ${
      known === ''
        ? 'the record has no atomic fields: declare one as atomic(u32)'
        : `atomic are ${known}`
    }`,
    { table, field: show(name) },
  )
}

/** Misuse unless the field can hold this number. */
export function checkHeld(
  call: string,
  what: string,
  { definition }: AtomicField,
  value: unknown,
): void {
  if (!definition.accepts(value)) refuse(call, what, definition, value)
}

/** Before looking the key up again, for the n-th time, from 0 on. False: it is time for the lock. */
export function waitForWriter(space: Space, n: number, mayBlock: boolean): boolean {
  const { memory } = space
  if (n < AT_ONCE) {
    memory.pause()
    return true
  }
  const sleeps = n - AT_ONCE
  if (!mayBlock || sleeps >= SLEEPS) return false
  space.beforeSleep()
  memory.sleep(FIRST_SLEEP_MS * 2 ** sleeps)
  return true
}
