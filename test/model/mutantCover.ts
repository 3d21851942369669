/**
 * Which places of the library have run: the host's own coverage, asked for between two of the things
 * that run. For the processes that mutants are shown in, which also say what they have to say here.
 */

import { writeSync } from 'node:fs'
import { Session } from 'node:inspector'

/** By address of a script: places in the list of offsets that was asked for. */
export type Reached = Readonly<Record<string, readonly number[]>>

interface Script {
  readonly url: string
  readonly functions: readonly {
    readonly ranges: readonly {
      readonly startOffset: number
      readonly endOffset: number
      readonly count: number
    }[]
  }[]
}

/** At once, and not when the process has time: it may have none any more. */
export function say(message: { readonly says: string }): void {
  writeSync(1, `${JSON.stringify(message)}\n`)
}

export class Coverage {
  private readonly session = new Session()
  private readonly wanted: Reached

  constructor(wanted: Reached) {
    this.wanted = wanted
    this.session.connect()
    this.session.post('Profiler.enable')
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** What has run since the last time; then counts begin anew. */
  take(): readonly Script[] {
    let scripts: readonly Script[] = []
    this.session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error
      scripts = result
    })
    return scripts
  }

  /** The same, of the places that were asked for. */
  note(into: Map<string, Set<number>>): void {
    for (const script of this.take()) {
      const offsets = this.wanted[script.url]
      if (offsets === undefined) continue
      const known = into.get(script.url) ?? new Set()
      into.set(script.url, known)
      for (const i of executed(script, offsets)) known.add(i)
    }
  }
}

export function plain(sets: ReadonlyMap<string, ReadonlySet<number>>): Record<string, number[]> {
  return Object.fromEntries([...sets].map(([url, set]) => [url, [...set]]))
}

/** The innermost range around an offset says how often it was executed. */
function executed({ functions }: Script, offsets: readonly number[]): number[] {
  const ranges = functions
    .flatMap((each) => each.ranges)
    .sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  return offsets.flatMap((offset, i) => {
    const inner = ranges.findLast(
      ({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset,
    )
    return inner !== undefined && inner.count > 0 ? [i] : []
  })
}
