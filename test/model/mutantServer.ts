/**
 * Processes that are shown mutants, one task after the other, and who looks that they come to an end.
 */

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { execPath } from 'node:process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** How long nothing may be heard. */
export interface Patience {
  /** A thread goes round without a verb: in time of the processor, see `Watch`. */
  readonly silentMs: number
  /** The same by the clock, for what waits instead of working. */
  readonly stillMs: number
}

const LOOK_MS = 500
/** One tick of the processor's time, as Linux counts it. */
const TICK_MS = 10
const MEGABYTES = 1500

/** So many tasks for one process: what it has loaded for a task, it keeps. */
const MOST_TASKS = 200

/** How a task came to its end. */
export interface Outcome<Said> {
  readonly messages: readonly Said[]
  /** Why it did not come to its own end. */
  readonly broken: 'silent' | 'late' | 'crashed' | undefined
  readonly error: string
  /** Whether its process had run others before. */
  readonly isFirst: boolean
}

/** A process that does one task after the other. */
export class Server<Task, Said extends { readonly says: string }> {
  isGone = false
  private readonly patience: Patience
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  private readonly closed: Promise<unknown>
  private tasks = 0
  private error = ''
  private hear: (message: Said) => void = () => {}

  constructor(script: URL, patience: Patience) {
    this.patience = patience
    const flags = [`--max-old-space-size=${MEGABYTES}`, '--preserve-symlinks']
    this.child = spawn(execPath, [...flags, fileURLToPath(script)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.error = (this.error + text).slice(-2000)
    })
    const lines = createInterface({ input: this.child.stdout })
    lines.on('line', (line) => {
      // What tests print is none of ours.
      if (line.startsWith('{"says":')) this.hear(JSON.parse(line) as Said)
    })
    const read = new Promise((resolve) => lines.on('close', resolve))
    this.closed = new Promise((resolve) => this.child.on('close', resolve)).then(() => read)
    void this.closed.then(() => {
      this.isGone = true
    })
    // It may be gone before it has heard its task; `closed` says so.
    this.child.stdin.on('error', () => {})
  }

  get isWorn(): boolean {
    return this.tasks >= MOST_TASKS
  }

  async run(task: Task, ms: number): Promise<Outcome<Said>> {
    const isFirst = this.tasks++ === 0
    const messages: Said[] = []
    let broken: Outcome<Said>['broken']
    const watch = new Watch(this.child, ms, this.patience, (why) => {
      broken ??= why
      this.end()
    })
    const done = new Promise<boolean>((resolve) => {
      this.hear = (message) => {
        watch.heard()
        if (message.says !== 'alive') messages.push(message)
        if (message.says === 'end' || message.says === 'unloadable') resolve(true)
      }
    })
    this.child.stdin.write(`${JSON.stringify(task)}\n`)
    const isWhole = await Promise.race([done, this.closed.then(() => false)])
    watch.end()
    if (!isWhole) broken ??= 'crashed'
    return { messages, broken, error: this.error, isFirst }
  }

  end(): void {
    this.isGone = true
    this.child.kill('SIGKILL')
  }
}

/**
 * Ends a process that says nothing for long, or takes too long in all. Both are measured in time of the
 * processor where the system tells it, so that a busy machine makes no verdict.
 */
class Watch {
  private readonly child: ChildProcess
  private readonly most: number
  private readonly stop: (why: 'silent' | 'late') => void
  private readonly timer: NodeJS.Timeout
  private spent = 0
  private spentWhenHeard = 0
  private heardAt = Date.now()
  private isNews = true

  constructor(
    child: ChildProcess,
    most: number,
    { silentMs, stillMs }: Patience,
    stop: (why: 'silent' | 'late') => void,
  ) {
    this.child = child
    this.most = most
    this.stop = stop
    const begin = this.heardAt
    const before = spentBy(child.pid ?? 0) ?? 0
    this.timer = setInterval(() => {
      const spent = spentBy(this.child.pid ?? 0)
      this.spent = spent === undefined ? Date.now() - begin : spent - before
      if (this.isNews) this.spentWhenHeard = this.spent
      this.isNews = false
      const isSilent = this.spent - this.spentWhenHeard > silentMs
      if (isSilent || Date.now() - this.heardAt > stillMs) this.stop('silent')
      else if (this.spent > this.most) this.stop('late')
    }, LOOK_MS)
  }

  heard(): void {
    this.heardAt = Date.now()
    this.isNews = true
  }

  end(): void {
    clearInterval(this.timer)
  }
}

/** Time of the processor that a process has had, in ms; undefined where the system does not tell. */
function spentBy(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // Behind the command in parentheses; its own time and the system's for it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return undefined
  }
}
