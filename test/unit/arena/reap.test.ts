/**
 * What the others do when a worker is gone: who may be reaped, what is taken over, and what the
 * report says. The dead here are attachments that simply do nothing any more; death in the middle of
 * every step is the model tests' subject.
 */

import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { reapSlot } from '#src/arena/reap.ts'
import { Arena, type Smr, type WorkerId, type Zone } from '#src/index.ts'
import { CacheMove, CacheWords, Header, Named, RunKind, WorkerSlot } from '#src/memory/layout.ts'
import { checkPages } from '#src/space/pages.ts'
import { ownerOf } from '#src/space/workers.ts'
import { trio } from '../../helpers/company.ts'
import { Hands } from '../../helpers/hands.ts'
import { misuse, unchanged, wild } from '../../helpers/refusals.ts'
import { CONFIGS } from '../../helpers/tiny.ts'

const ELSEWHERE = 7
/** Node before 20.16 does not tell a thread which one it is. */
const told = 'getBuiltinModule' in process

let a: Arena
let b: Arena
let c: Arena

afterEach(() => {
  vi.restoreAllMocks()
})

/** Makes believe that the worker lives in another thread. */
function moveTo(arena: Arena, thread: number): void {
  const at = arena.memory.peek(Header.workersAt) + arena.space.slot * WorkerSlot.WORDS
  arena.memory.store(at + WorkerSlot.owner, ownerOf(arena.space.generation, thread))
}

/** As much of node:worker_threads' Worker as `supervise` wants. */
class FakeWorker extends EventEmitter {
  readonly threadId: number

  constructor(threadId: number) {
    super()
    this.threadId = threadId
  }
}

describe.each(CONFIGS)('$name', (config) => {
  beforeEach(() => {
    ;[a, b, c] = trio({}, config)
    moveTo(b, ELSEWHERE)
  })

  describe('who may be reaped', () => {
    it.each([-1, 4, 1.5, Number.NaN, '1', undefined, null])('nobody called %s', (slot) => {
      const error = unchanged(a, () => misuse(() => a.reap(wild(slot))))
      expect(error.message).toMatch(
        /^arena\.reap: worker .* does not exist; pass an arena's workerId$/,
      )
    })

    it('neither oneself nor another worker of one’s own thread', () => {
      for (const { workerId } of told ? [a, c] : [a]) {
        const error = unchanged(a, () => misuse(() => a.reap(workerId)))
        expect(error.message).toMatch(/^arena\.reap: worker \d is this very thread's; detach it/)
      }
    })

    it('nobody who shows life while he is watched', () => {
      const theirs = b.smr('d')
      a.smr('d')
      const { sleep } = a.memory
      vi.spyOn(a.memory, 'sleep').mockImplementation((ms) => {
        theirs.enter()
        sleep.call(a.memory, ms)
      })
      expect(misuse(() => a.reap(b.workerId)).message).toMatch(/worker 1 is alive: its words have/)
      expect(a.stats().workers.attached).toEqual([0, 1, 2])
    })

    it('nobody twice: a slot that is free already is left alone', () => {
      expect(a.reap(b.workerId).reaped).toBe(true)
      const report = unchanged(a, () => a.reap(b.workerId))
      expect(report).toEqual({
        workerId: 1,
        reaped: false,
        sections: [],
        calls: [],
        locks: [],
        zones: [],
        runs: 0,
      })
      expect(unchanged(a, () => a.reap(3 as WorkerId)).reaped).toBe(false)
    })

    it('nobody’s successor: it was reaped, and its slot claimed, while somebody watched it', () => {
      a.smr('d')
      let successor: Arena | undefined
      const { sleep } = a.memory
      vi.spyOn(a.memory, 'sleep').mockImplementationOnce((ms) => {
        expect(c.reap(b.workerId).reaped).toBe(true)
        successor = Arena.attach(a.handle)
        // As like the dead one as can be.
        moveTo(successor, ELSEWHERE)
        successor.smr('d').enter()
        sleep.call(a.memory, ms)
      })
      const { workerId } = b
      const goal = a.smr('d').advance()
      expect(a.reap(workerId)).toMatchObject({ workerId, reaped: false })
      expect(successor?.workerId).toBe(workerId + 256)
      expect(successor?.space.isOurs).toBe(true)
      const later = a.smr('d').advance()
      expect([a.smr('d').poll(goal), a.smr('d').poll(later)]).toEqual([true, false])
      expect(a.stats().workers.attached).toEqual([0, workerId + 256, 2])
    })
  })

  describe('what is taken over', () => {
    it('its sections end, and goals that waited for it are met', () => {
      b.smr('d').enter()
      b.smr('e').enter()
      const smr = a.smr('d')
      c.smr('d').enter()
      const goal = smr.advance()
      expect(a.reap(b.workerId).sections).toEqual(['d', 'e'])
      expect(new Hands(smr).seq(1)).toBe(0)
      expect(smr.poll(goal)).toBe(false)
      c.smr('d').exit()
      expect(smr.poll(goal)).toBe(true)
    })

    it('its locks go to the next, who hears of it', () => {
      b.lock('mine').lock()
      b.lock('free')
      c.lock('theirs').lock()
      expect(a.reap(b.workerId).locks).toEqual(['mine'])
      expect(a.lock('mine').lock()).toBe('owner-died')
      expect(a.lock('free').lock()).toBe('ok')
      expect(a.lock('theirs').tryLock()).toBe(false)
    })

    it('what it freed waits under a new goal, what it had ready is anybody’s', () => {
      const smr = a.smr('d')
      const zone = a.zone('z', { bytes: 16, bucket: 4, smr })
      const theirs = b.zone('z')
      const items = Array.from({ length: 6 }, () => theirs.zallocSmr())
      for (const item of items.slice(0, 3)) theirs.zfreeSmr(item)
      c.smr('d').enter()
      const { live, cached, created } = zone.stats()
      const { wr } = smr.stats()

      const report = a.reap(b.workerId)
      expect(report.zones).toEqual([{ name: 'z', pending: 3, safe: 2, live: 3 }])
      expect([live, cached]).toEqual([3, 2])
      expect(smr.stats().wr).not.toBe(wr)
      expect(zone.stats()).toMatchObject({ live: 3, cached: 0, pending: 3, created })
      // Nothing of it before the reader has left; all of it afterwards.
      const reused = Array.from({ length: 20 }, () => zone.zallocSmr())
      for (const item of items.slice(0, 3)) expect(reused).not.toContain(item)
      c.smr('d').exit()
      const more = Array.from({ length: 20 }, () => zone.zallocSmr())
      for (const item of items.slice(0, 3)) expect(more).toContain(item)
      zone.check()
    })

    it('pages that it had reserved or half made go back', () => {
      const before = a.stats().pages
      b.space.pages.reserve(1)
      const half = (): number => {
        const at = b.space.pages.reserve(5000)
        b.space.pages.publish(at, RunKind.zone)
        throw new Error('it dies before the directory names it')
      }
      expect(() => b.space.directory.open('x', Named.zone, 'half', half)).toThrow('it dies')
      expect(a.reap(b.workerId).runs).toBe(2)
      const after = a.stats().pages
      expect(after.untouched + after.free).toBe(before.untouched + before.free)
      checkPages(a.memory, a.space.pages)
    })

    it('its slot, by a successor who is not taken for it', () => {
      const token = a.space.workers.token(1)
      a.reap(b.workerId)
      expect(a.stats().workers.attached).toEqual([0, 2])
      expect(a.space.workers.isGone(token)).toBe(true)
      expect(c.space.workers.claim('x', 0)).toBe(1)
    })

    it('a step of the clock that it owed: what it retired does not wait for others’ frees', () => {
      const smr = a.smr('d')
      const zone = a.zone('z', { bytes: 16, bucket: 2, advanceEvery: 4, smr })
      const theirs = b.zone('z')
      const items = [theirs.zallocSmr(), theirs.zallocSmr()]
      for (const item of items) theirs.zfreeSmr(item)
      theirs.makeRoom()
      expect([zone.stats().pending, zone.parts.depot.isPromising()]).toEqual([2, false])
      expect(a.reap(b.workerId).reaped).toBe(true)
      expect(zone.parts.depot.isPromising()).toBe(true)
    })

    it('nothing of those who live', () => {
      const smr = a.smr('d')
      const zone = a.zone('z', { bytes: 16, bucket: 2, smr })
      const table = c.zone('z')
      const items = Array.from({ length: 5 }, () => table.zallocSmr())
      c.smr('d').enter()
      const before = [zone.stats(), a.space.pages.runs()]
      a.reap(b.workerId)
      expect([zone.stats(), a.space.pages.runs()]).toEqual(before)
      c.smr('d').exit()
      for (const item of items) table.zfreeSmr(item)
      zone.check()
    })
  })
})

describe('supervise', () => {
  beforeEach(() => {
    ;[a, b, c] = trio()
    for (const worker of [b, c]) moveTo(worker, ELSEWHERE)
  })

  it.runIf(told)('reaps every slot of a thread when it exits, and tells', async () => {
    const worker = new FakeWorker(ELSEWHERE)
    const other = new FakeWorker(ELSEWHERE + 1)
    const reports: number[] = []
    for (const each of [worker, other]) a.supervise(each, (report) => reports.push(report.workerId))
    b.lock('l').lock()
    other.emit('exit', 0)
    expect(a.stats().workers.attached).toEqual([0, 1, 2])
    worker.emit('exit', 1)
    await vi.waitFor(() => expect(reports).toEqual([1, 2]))
    expect(a.stats().workers.attached).toEqual([0])
    expect(a.lock('l').lock()).toBe('owner-died')
  })

  it.runIf(told)('until then nobody may reap it by hand, from whatever handle', () => {
    a.supervise(new FakeWorker(ELSEWHERE))
    const own = unchanged(a, () => misuse(() => a.reap(b.workerId)))
    expect(own.message).toMatch(/worker 1 is alive: it is supervised and has not exited/)
    const d = Arena.attach(a.handle)
    const other = unchanged(a, () => misuse(() => d.reap(b.workerId)))
    expect(other.message).toMatch(
      /worker 1 is alive: it is supervised by worker 0 and has not exited/,
    )
  })

  it.runIf(told)('what a listener throws is reported, and stops nobody', async () => {
    const warnings = listen()
    const worker = new FakeWorker(ELSEWHERE)
    const heard: number[] = []
    a.supervise(worker, ({ workerId }) => {
      heard.push(workerId)
      throw new Error('onReaped went wrong')
    })
    expect(worker.emit('exit', 1)).toBe(true)
    await vi.waitFor(() => expect(heard).toEqual([1, 2]))
    expect(warnings).toEqual(['onReaped went wrong', 'onReaped went wrong'])
    expect(a.stats().workers.attached).toEqual([0])
  })

  it.runIf(told)('what reaping throws is reported; the others are reaped; then it goes on', () => {
    const warnings = listen()
    const worker = new FakeWorker(ELSEWHERE)
    const heard: number[] = []
    a.supervise(worker, ({ workerId }) => heard.push(workerId))
    const { workerId, space } = b
    const zone = b.zone('z', { bytes: 16 })
    const moved = zone.parts.cache.at
    a.memory.poke(moved + CacheWords.moved, 4711)
    a.memory.poke(moved + CacheWords.move, CacheMove.loadAlloc)
    expect(worker.emit('exit', 1)).toBe(true)
    expect(heard).toEqual([2])
    // Whoever reaps another tries this one again.
    for (const warning of warnings) expect(warning).toMatch(/^zone "z" cache: /)
    expect(warnings.length).toBeGreaterThan(0)
    // Nobody can have the slot, and nobody has to come back for it by name: the next reaper goes on.
    expect(a.space.workers.isBuried({ slot: 1, generation: space.generation + 1 })).toBe(true)
    a.memory.poke(moved + CacheWords.move, CacheMove.none)
    expect(a.reap(workerId)).toMatchObject({ workerId, reaped: true })
    expect(a.reap(workerId).reaped).toBe(false)
    expect(a.stats().workers.attached).toEqual([0])
  })

  it.runIf(told)('goes on through another attachment of the thread when its own leaves', () => {
    const d = Arena.attach(a.handle)
    // The others are no attachments of this thread: they cannot go on.
    for (const worker of [b, c]) worker.space.whenReaped()
    const worker = new FakeWorker(ELSEWHERE)
    const heard: number[] = []
    a.supervise(worker, ({ workerId }) => heard.push(workerId))
    a.detach()
    expect(misuse(() => d.reap(1 as WorkerId)).message).toMatch(
      /it is supervised and has not exited/,
    )
    worker.emit('exit', 0)
    expect(heard).toEqual([1, 2])
    expect(d.stats().workers.attached).toEqual([3])
  })

  it.runIf(told)('says so when there is none, and reaps when the thread attaches again', () => {
    const warnings = listen()
    for (const worker of [b, c]) worker.space.whenReaped()
    const worker = new FakeWorker(ELSEWHERE)
    const heard: number[] = []
    a.supervise(worker, ({ workerId }) => heard.push(workerId))
    a.detach()
    expect(warnings).toEqual([
      `arena.detach: nobody supervises thread ${ELSEWHERE} any more; if it dies, its workers are reaped when this thread attaches again`,
    ])
    worker.emit('exit', 0)
    expect(heard).toEqual([])
    const again = Arena.attach(a.handle)
    expect(heard).toEqual([1, 2])
    expect(again.stats().workers.attached).toEqual([again.workerId])
  })

  it.runIf(told)('a supervisor that dies takes along those whom it supervised', () => {
    moveTo(c, ELSEWHERE + 1)
    const worker = new FakeWorker(ELSEWHERE)
    const heard: number[] = []
    a.supervise(worker, ({ workerId }) => heard.push(workerId))
    b.supervise(new FakeWorker(ELSEWHERE + 1))
    c.smr('d').enter()
    const goal = a.smr('d').advance()
    worker.emit('exit', 1)
    expect(heard.sort()).toEqual([1, 2])
    expect(a.smr('d').poll(goal)).toBe(true)
    expect(a.space.workers.wardsOf(b.space.locks.signature)).toEqual([])
  })
})

describe('who left the slot as a dead worker would', () => {
  it('is reaped by the next to reap, and by the next to attach', () => {
    for (const take of [
      () => a.reap(b.workerId).reaped,
      () => Arena.attach(a.handle).workerId > 0,
    ]) {
      ;[a, b, c] = trio()
      const zone = b.zone('z', { bytes: 16, bucket: 4 })
      const items = [zone.zalloc(), zone.zalloc()]
      for (const item of items) zone.zfree(item)
      b.space.abandon()
      expect(take()).toBe(true)
      expect(a.space.workers.isBuried({ slot: 1, generation: 1 })).toBe(false)
      expect(a.zone('z').stats()).toMatchObject({ live: 0, cached: 0 })
      a.zone('z').check()
    }
  })
})

describe('who is reaped although he lives', () => {
  const slowPaths: readonly (readonly [string, (smr: Smr, zone: Zone) => void])[] = [
    ['opens something', () => void b.zone('z')],
    ['takes a lock', () => void b.lock('l').lock()],
    ['tries a lock', () => void b.lock('l').tryLock()],
    ['refills', (_, zone) => void Array.from({ length: 20 }, () => zone.zallocSmr())],
    ['makes room', (_, zone) => zone.makeRoom()],
    ['reclaims', (_, zone) => void zone.reclaim('trim')],
    ['advances', (smr) => void smr.advance()],
    ['waits', (smr) => void smr.synchronize()],
    ['publishes for a turn', () => b.smr('turns').enter()],
    ['reaps', () => void b.reap(c.workerId)],
    ['detaches', () => b.detach()],
  ]

  it.each(slowPaths)('stops with an error when it %s, and all its handles refuse', (_, act) => {
    ;[a, b, c] = trio()
    moveTo(b, ELSEWHERE)
    const smr = b.smr('d')
    const zone = b.zone('z', { bytes: 16, bucket: 4, smr })
    b.smr('turns', { sections: 'turn' })
    b.lock('l')
    zone.zfreeSmr(zone.zallocSmr())
    expect(a.reap(b.workerId).reaped).toBe(true)
    const successor = Arena.attach(a.handle)
    expect(successor.workerId).toBe(256 + b.workerId)
    successor.smr('d').enter()
    const goal = a.smr('d').advance()
    expect(misuse(() => act(smr, zone)).message).toMatch(/worker 1 was reaped while it was alive/)
    unchanged(a, () => {
      misuse(() => zone.zallocSmr())
      misuse(() => smr.enter())
      misuse(() => b.stats())
      misuse(() => b.detach())
    })
    // Nothing of the successor's was touched.
    expect(a.smr('d').poll(goal)).toBe(false)
    expect(a.stats().workers.attached).toEqual([0, 256 + 1, 2])
    expect(successor.space.isOurs).toBe(true)
  })
})

describe('what a reaper leaves for the next', () => {
  beforeEach(() => {
    ;[a, b, c] = trio()
    moveTo(b, ELSEWHERE)
  })

  it('nothing that keeps others from it: who fails is the heir no more', () => {
    b.smr('d')
    vi.spyOn(a.space.pages, 'releaseReservedBy').mockImplementationOnce(() => {
      throw new Error('boom')
    })
    expect(() => a.reap(b.workerId)).toThrow('boom')
    expect(c.space.workers.unreaped()).toEqual([
      { slot: b.space.slot, generation: b.space.generation + 1 },
    ])
    expect(c.reap(b.workerId)).toMatchObject({ reaped: true, calls: [], sections: [], locks: [] })
  })

  it('no note that there is something to sweep, when it has swept', () => {
    const boom = new Error('boom')
    expect(() =>
      b.space.directory.open('x', Named.zone, 'half', () => {
        throw boom
      }),
    ).toThrow(boom)
    expect(a.space.directory.isUnswept).toBe(true)
    expect(a.reap(b.workerId).reaped).toBe(true)
    expect(a.space.directory.isUnswept).toBe(false)
  })
})

it('who allocates or frees while he is looked at is alive', () => {
  ;[a, b, c] = trio()
  moveTo(b, ELSEWHERE)
  const zone = b.zone('z', { bytes: 16, bucket: 4 })
  const items = Array.from({ length: 6 }, () => zone.zalloc())
  const acts = [() => void zone.zalloc(), () => zone.zfree(items[0] as never)]
  // A whole bucket, so that its count is the same as before: then the tallies tell.
  acts.push(() => {
    for (let i = 0; i < 4; i++) zone.zalloc()
  })
  for (const act of acts) {
    vi.spyOn(a.memory, 'sleep').mockImplementationOnce(act)
    expect(misuse(() => a.reap(b.workerId)).message).toMatch(/its words have just changed/)
  }
  expect(a.reap(b.workerId).reaped).toBe(true)
})

describe('what reaping costs', () => {
  const VERBS = [
    'load',
    'store',
    'add',
    'swap',
    'cas',
    'peek',
    'poke',
    'peekRacy',
    'tallied',
  ] as const

  /** Words that are looked at, or written, when a worker is reaped that has used `used` of the zones. */
  function cost(zones: number, slabs: number, used: number): number {
    const arena = Arena.create({ bytes: 2 ** 25, maxWorkers: 4, intrinsics: false })
    const smr = arena.smr('d')
    for (let i = 0; i < zones; i++) {
      const zone = arena.zone(`z${i}`, { bytes: 16, smr })
      zone.prealloc(1)
      zone.prealloc(slabs * zone.stats().created)
    }
    const dead = Arena.attach(arena.handle)
    for (let i = 0; i < used; i++) {
      const zone = dead.zone(`z${i}`)
      zone.zfreeSmr(zone.zallocSmr())
    }
    let words = 0
    for (const verb of VERBS) {
      const real = arena.memory[verb].bind(arena.memory) as (...args: number[]) => number
      Object.assign(arena.memory, {
        [verb]: (...args: number[]) => {
          words++
          return real(...args)
        },
      })
    }
    expect(reapSlot(arena.space, dead.workerId)).toMatchObject({ reaped: true })
    return words
  }

  it('is what the dead worker had: neither slabs nor zones that it never opened are walked', () => {
    expect(cost(10, 100, 4)).toBe(cost(10, 1, 4))
    const none = cost(40, 1, 0) - cost(10, 1, 0)
    expect(none / 30).toBeLessThan(100)
    const one = cost(10, 1, 5) - cost(10, 1, 4)
    expect(one).toBeLessThan(1500)
  })
})

/** What is reported as a warning from here on. */
function listen(): string[] {
  const warnings: string[] = []
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
    warnings.push(warning instanceof Error ? warning.message : warning)
  })
  return warnings
}
