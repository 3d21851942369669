/**
 * The errors of the library. There are three kinds:
 *
 *   Misuse      the call is wrong: a foreign item, a nested section, an impossible option. Thrown
 *               before anything has changed.
 *   Exhausted   there is no memory, slot or time left. Says how much is live, cached and pending,
 *               because "full" and "full, but soon reclaimed" want different remedies.
 *   Corruption  shared memory breaks an invariant of the library: a stray write.
 *
 * A message names the call, the thing, the number and the remedy, in that order; the same facts
 * are fields of the error, so that programs need not parse sentences.
 *
 * There are three levels of checks: always (misuse that would corrupt), in arenas created with
 * `checks: true` (a relation between words), and in tests only (a walk; see the `check*` functions
 * of each structure).
 */

/** Facts of an error, as plain values. */
export type Facts = Readonly<Record<string, string | number | boolean>>

/** Base of every error this library throws on purpose. */
export class UmaSmrError extends Error {
  /** Stable identifier, for example `ERR_UMA_SMR_MISUSE`. */
  readonly code: string
  /** The numbers and names in the message; each is a field of the error itself as well. */
  readonly facts: Facts

  constructor(code: string, message: string, facts: Facts = {}) {
    super(message)
    this.name = new.target.name
    this.code = code
    this.facts = facts
    for (const [name, value] of Object.entries(facts)) {
      if (!(name in this)) Object.defineProperty(this, name, { value, enumerable: true })
    }
  }
}

/** The call is wrong. Nothing has changed. */
export class Misuse extends UmaSmrError {
  constructor(message: string, facts: Facts = {}) {
    super('ERR_UMA_SMR_MISUSE', message, facts)
  }
}

/** Memory, items, slots or time ran out. Nothing has changed. */
export class Exhausted extends UmaSmrError {
  constructor(message: string, facts: Facts = {}) {
    super('ERR_UMA_SMR_EXHAUSTED', message, facts)
  }
}

/** Shared memory has been damaged. Do not go on. */
export class Corruption extends UmaSmrError {
  constructor(message: string, facts: Facts = {}) {
    super('ERR_UMA_SMR_CORRUPTION', message, facts)
  }
}

/**
 * A value as text for a message: strings quoted, everything else as it prints. Never throws,
 * although the value is often what is wrong: a revoked proxy, or a getter that throws.
 */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return `function ${nameOf(value, '(anonymous)')}`
  if (typeof value === 'object' && value !== null) return nameOf(value, 'object')
  return String(value)
}

/** The name of a function, or of an object's constructor; `otherwise` if there is none. */
function nameOf(value: object, otherwise: string): string {
  try {
    const named: unknown = typeof value === 'function' ? value : value.constructor
    const name: unknown = (named as { readonly name?: unknown } | undefined)?.name
    return typeof name === 'string' && name !== '' ? name : otherwise
  } catch {
    return otherwise
  }
}

/** `value` as an integer in [min, max], or Misuse that names the call and the option. */
export function integer(
  call: string,
  what: string,
  value: unknown,
  min: number,
  max: number,
): number {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number
  }
  throw new Misuse(`${call}: ${what} is ${show(value)}; give an integer from ${min} to ${max}`, {
    [what]: show(value),
    min,
    max,
  })
}

/** Misuse unless every key of `options` is one of `known`: a misspelt knob must not be ignored. */
export function onlyOptions(call: string, options: unknown, known: readonly string[]): void {
  assertObject(call, options)
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    throw new Misuse(`${call}: unknown option ${show(key)}; known are ${known.join(', ')}`, {
      option: key,
    })
  }
}

/** Misuse unless `options` is an object. */
export function assertObject(call: string, options: unknown): asserts options is object {
  if (typeof options === 'object' && options !== null && !Array.isArray(options)) return
  throw new Misuse(`${call}: options are ${show(options)}; give an object`)
}

/** The error for a missing function. The verb itself checks, since it may be on a fast path. */
export function noFunction(call: string, fn: unknown): Misuse {
  return new Misuse(`${call}: fn is ${show(fn)}; give a function`)
}
