/**
 * Is there a sequential order that explains this history? (Wing & Gong, "Testing and Verifying
 * Concurrent Objects", with the memoization of Lowe.)
 *
 * A history is a list of operations, each with an interval. It is linearizable when the operations
 * can be put in one order such that the sequential object, given them in that order, returns every
 * result that was seen, and no operation comes after one that began only when it had ended.
 *
 * An operation whose thread was killed in the middle has no end and no result. It may have taken
 * effect or not; both are tried.
 *
 * Operations of one thread follow each other, so how far each thread has come says which operations
 * have been placed. Together with the object's state, that is all the search must remember: a pair
 * that has failed once is not tried again.
 */

export interface Operation {
  readonly thread: number
  readonly call: string
  readonly args: readonly unknown[]
  result: unknown
  start: number
  /** Infinity: it never came back. */
  end: number
}

/** The object as it would be if only one thread used it. */
export interface Spec<S> {
  readonly initial: S
  /** All states that may follow, given the result that was seen. None: this result is impossible. */
  next(state: S, operation: Operation): readonly S[]
  /** The same text for the same state. */
  key(state: S): string
}

/** Whether an operation came back, so that its result counts. */
export function returned(operation: Operation): boolean {
  return operation.end !== Number.POSITIVE_INFINITY
}

/** A spec of an object with one possible answer to each call. Results are compared by `Object.is`. */
export function deterministic<S>(
  initial: S,
  step: (
    state: S,
    call: string,
    args: readonly unknown[],
  ) => { readonly state: S; readonly result: unknown },
  key: (state: S) => string,
): Spec<S> {
  return {
    initial,
    key,
    next(state, operation) {
      const after = step(state, operation.call, operation.args)
      const fits = !returned(operation) || Object.is(after.result, operation.result)
      return fits ? [after.state] : []
    },
  }
}

/** A sequential order of the history's operations, or undefined when there is none. */
export function linearize<S>(
  history: readonly Operation[],
  spec: Spec<S>,
): readonly Operation[] | undefined {
  const lanes = lanesOf(history)
  const places = lanes.map(() => 0)
  const order: Operation[] = []
  const failed = new Set<string>()

  const search = (state: S): boolean => {
    const waiting = lanes.flatMap((lane, i) => lane[places[i] as number] ?? [])
    if (!waiting.some(returned)) return true
    const key = `${places.join()} ${spec.key(state)}`
    if (failed.has(key)) return false
    const firstEnd = Math.min(...waiting.map((each) => each.end))
    for (const [i, lane] of lanes.entries()) {
      const place = places[i] as number
      const operation = lane[place]
      if (operation === undefined || operation.start > firstEnd) continue
      places[i] = place + 1
      order.push(operation)
      for (const next of spec.next(state, operation)) if (search(next)) return true
      order.pop()
      places[i] = place
    }
    failed.add(key)
    return false
  }

  return search(spec.initial) ? order : undefined
}

/** Throws with the whole history when no order explains it. */
export function assertLinearizable<S>(history: readonly Operation[], spec: Spec<S>): void {
  if (linearize(history, spec) !== undefined) return
  const lines = [...history].sort((a, b) => a.start - b.start).map(tell)
  throw new Error(`not linearizable:\n${lines.join('\n')}`)
}

export function tell(operation: Operation): string {
  const { thread, call, args, result, start, end } = operation
  const answer = returned(operation) ? `${JSON.stringify(result)} at ${end}` : 'never'
  return `  ${start}: thread ${thread} calls ${call}(${args.map((each) => JSON.stringify(each)).join(', ')}), returns ${answer}`
}

/** The operations of each thread, in their order. */
function lanesOf(history: readonly Operation[]): Operation[][] {
  const lanes = new Map<number, Operation[]>()
  for (const operation of history) {
    const lane = lanes.get(operation.thread)
    if (lane === undefined) lanes.set(operation.thread, [operation])
    else lane.push(operation)
  }
  for (const lane of lanes.values()) lane.sort((a, b) => a.start - b.start)
  return [...lanes.values()]
}
