/**
 * Barriers: all that any worker had queued before has run, by counters alone. Whoever is in the way
 * is named; whoever has left, died and been reaped, or follows in a slot, is not in the way.
 */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { Exhausted, Misuse } from '#src/base/errors.ts'
import { sleep } from '#src/base/host.ts'
import { Arena, type Smr } from '#src/index.ts'
import { DomainWords, ReaderWords } from '#src/memory/layout.ts'
import { Queued } from '#src/smr/call.ts'
import { Readers } from '#src/smr/poll.ts'
import { COMBOS } from '../../helpers/combos.ts'
import { trio } from '../../helpers/company.ts'
import { Loop } from '../../helpers/loop.ts'
import { rejected } from '../../helpers/refusals.ts'

let a: Arena
let b: Arena
let c: Arena
let x: Smr
let y: Smr
let z: Smr
/** The event loops of the second and the third worker; the first one's is the host's. */
let second: Loop
let third: Loop

const nothing = (): void => {}
const SHORT = { timeoutMs: 15 }

function raise(options = {}): void {
  ;[a, b, c] = trio()
  second = new Loop(b)
  third = new Loop(c)
  ;[x, y, z] = [a.smr('d', options), b.smr('d'), c.smr('d')]
}

beforeEach(() => {
  vi.spyOn(process, 'emitWarning').mockImplementation(nothing)
  raise()
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** The marks themselves, as a barrier would set them now. */
function queued(): Queued {
  return new Queued(a.space, new Readers(a.memory, x.address + DomainWords.WORDS, 4, false))
}

/** Lets promises get on while the first worker's loop, which is the host's, turns. */
const pass = (): Promise<void> => sleep(20)

async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  const done = (): void => {
    over = true
  }
  promise.then(done, done)
  await pass()
  return over
}

describe('a barrier', () => {
  it.each(COMBOS)('waits for what all workers have queued before: $name', async ({ options }) => {
    raise(options)
    const ran: string[] = []
    x.call(() => ran.push('own'))
    y.call(() => ran.push('second'))
    z.call(() => ran.push('third'))
    const barrier = z.barrier()
    expect(await isOver(barrier)).toBe(false)
    while (y.stats().callsPending > 1) {
      second.turn()
      await pass()
    }
    expect([...ran].sort()).toEqual(['own', 'second'])
    expect(await isOver(barrier)).toBe(false)
    while (y.stats().callsPending > 0) {
      third.turn()
      await pass()
    }
    expect(await barrier).toBe(true)
    expect(ran[2]).toBe('third')
  })

  it('not for what is queued after it began, by whomever', async () => {
    y.call(nothing)
    const barrier = x.barrier()
    y.call(nothing)
    x.call(nothing)
    let later = 0
    const again = (): void => {
      later++
      y.call(again)
    }
    y.call(again)
    second.turn()
    expect(await barrier).toBe(true)
    expect([later, second.due.length]).toEqual([1, 1])
  })

  it('waits for readers of that time as well, and not for later ones', async () => {
    y.enter()
    const barrier = x.barrier()
    expect(await isOver(barrier)).toBe(false)
    y.exit()
    y.enter()
    expect(await barrier).toBe(true)
    y.exit()
  })

  it('several at once, of several workers', async () => {
    let ran = 0
    for (const smr of [x, y, z]) for (let i = 0; i < 50; i++) smr.call(() => ran++)
    const barriers = [x, y, z, x, y, z].map((smr) => smr.barrier())
    for (let i = 0; i < 5; i++) {
      second.turn()
      third.turn()
      await pass()
    }
    expect(await Promise.all(barriers)).toEqual(Array.from({ length: 6 }, () => true))
    expect(ran).toBe(150)
  })

  it('all that the callbacks did is done when it resolves', async () => {
    const zone = b.zone('z', { bytes: 16, bucket: 2 })
    const items = Array.from({ length: 40 }, () => zone.zalloc())
    for (const item of items) y.call(() => zone.zfree(item))
    const barrier = x.barrier().then(() => zone.stats().live)
    for (let i = 0; i < 5; i++) {
      second.turn()
      await pass()
    }
    expect(await barrier).toBe(0)
  })

  it('counters may go round the circle', async () => {
    const at = x.address + DomainWords.WORDS + ReaderWords.WORDS
    for (const word of [ReaderWords.queued, ReaderWords.completed])
      b.memory.store(at + word, 2 ** 31 - 2)
    let ran = 0
    for (let i = 0; i < 5; i++) y.call(() => ran++)
    const barrier = x.barrier()
    expect(await isOver(barrier)).toBe(false)
    expect(x.stats().callsPending).toBe(5)
    second.run()
    expect(await barrier).toBe(true)
    expect([ran, x.stats().callsPending]).toEqual([5, 0])
  })
})

describe('somebody in the way', () => {
  it('a worker that blocks its thread: false when the time is over, or an error with its name', async () => {
    y.call(nothing)
    z.call(nothing)
    expect(await x.barrier(SHORT)).toBe(false)
    expect(await x.flush(SHORT)).toBe(false)
    third.run()
    const waiting = x.barrier()
    await pass()
    const { now } = a.memory
    vi.spyOn(a.memory, 'now').mockImplementation(() => now.call(a.memory) + 31_000)
    const error = await rejected(Exhausted, waiting)
    expect(error.message).toBe(
      `smr.barrier: callbacks of worker ${b.workerId} have not run after 30000 ms; it blocks its thread, or is dead: reap it`,
    )
    second.run()
    expect(await x.barrier(SHORT)).toBe(true)
  })

  it('a dead worker, until it is reaped; which says what died with it', async () => {
    y.call(nothing)
    y.call(nothing)
    b.smr('other').call(nothing)
    expect(await x.barrier(SHORT)).toBe(false)
    const barrier = x.barrier()
    expect(await isOver(barrier)).toBe(false)
    const { calls } = reapSlot(a.space, 1)
    expect(calls).toEqual([
      { name: 'd', lost: 2 },
      { name: 'other', lost: 1 },
    ])
    expect(await barrier).toBe(true)
    expect(x.stats()).toMatchObject({ calls: 2, callsPending: 0, callsLost: 2 })
    expect(reapSlot(a.space, 1).calls).toEqual([])
  })

  it('a dead worker whose reaper has died in turn is not waited for either', async () => {
    y.call(nothing)
    const marks = queued()
    expect(marks.areCompleted()).toBe(false)
    a.space.workers.beginReap(1, c.space.locks.signature)
    expect(marks.areCompleted()).toBe(true)
  })

  it('a worker that leaves: its callbacks run or are lost, and it is waited for no more', async () => {
    let ran = 0
    y.call(() => ran++)
    const barrier = x.barrier()
    expect(await isOver(barrier)).toBe(false)
    b.detach()
    expect([await barrier, ran]).toEqual([true, 1])
    z.call(nothing)
    x.enter() // Of what follows nothing may run.
    z.call(nothing, { expedite: true })
    const another = y
    expect(another.entered).toBe(false)
    c.detach()
    x.exit()
    expect(await x.barrier(SHORT)).toBe(true)
    expect(x.stats()).toMatchObject({ calls: 3, callsPending: 0, callsLost: 2 })
  })

  it('a successor in the slot is not taken for the one before, nor held to what that one owed', async () => {
    for (let i = 0; i < 3; i++) y.call(nothing)
    const marks = queued()
    reapSlot(a.space, 1)
    const successor = Arena.attach(a.handle)
    expect(successor.space.slot).toBe(1)
    const loop = new Loop(successor)
    const heir = successor.smr('d')
    for (let i = 0; i < 5; i++) heir.call(nothing)
    expect(marks.areCompleted()).toBe(true)
    const barrier = x.barrier()
    expect(await isOver(barrier)).toBe(false)
    loop.run()
    expect(await barrier).toBe(true)
    expect(x.stats()).toMatchObject({ calls: 8, callsPending: 0, callsLost: 3 })
  })

  it('the domain’s end waits for them too: blocking, and it goes on if they do not run', async () => {
    let ran = 0
    y.call(() => ran++)
    x.call(() => ran++)
    await expect(async () => x.destroy({ timeoutMs: 0 })).rejects.toThrow(
      /^smr\.destroy: callbacks of worker \d+ have not run after 0 ms/,
    )
    expect(ran).toBe(1)
    second.run()
    x.destroy({ timeoutMs: 0 })
    expect(ran).toBe(2)
  })

  it('or names its own worker, whose callbacks find no end', () => {
    let stop = false
    const again = (): void => {
      if (!stop) x.call(again)
    }
    x.call(again)
    expect(() => x.destroy({ timeoutMs: 1 })).toThrow(
      new RegExp(`callbacks of worker ${a.workerId} have not run`),
    )
    stop = true
  })
})

describe('flush', () => {
  it('makes all workers move the clock on: no poll is patient any more', async () => {
    raise({ clock: 'deferred', limit: 1000 })
    y.call(nothing)
    second.turn()
    expect(x.stats()).toMatchObject({ advances: 0, callsPending: 1 })
    const flush = z.flush()
    await pass()
    second.turn()
    expect(x.stats().callsPending).toBe(0)
    expect(await flush).toBe(true)
  })

  it('where a barrier leaves them their pace', async () => {
    raise({ clock: 'deferred', limit: 1000 })
    y.call(nothing)
    y.enter()
    const goals = (): number => x.stats().advances
    second.turn()
    second.turn()
    expect(goals()).toBe(0)
    second.turn() // Twice in vain is enough.
    expect(goals()).toBe(1)
    y.exit()
    second.run()
  })
})

describe('refused', () => {
  it('in a section', async () => {
    x.enter()
    expect((await rejected(Misuse, x.barrier())).message).toMatch(
      /^smr\.barrier: .*section is open/,
    )
    expect((await rejected(Misuse, x.flush())).message).toMatch(/^smr\.flush: .*section is open/)
    x.exit()
  })

  it('ends with the reason when it is aborted', async () => {
    y.call(nothing)
    const signal = new AbortController()
    const waiting = x.barrier({ signal: signal.signal })
    const reason = new Error('enough')
    signal.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    second.run()
  })

  it('when this worker has left meanwhile', async () => {
    y.call(nothing)
    const waiting = x.barrier()
    await pass()
    a.detach()
    expect((await rejected(Misuse, waiting)).message).toMatch(/^smr\.barrier: .* handle was closed/)
    second.run()
  })
})
