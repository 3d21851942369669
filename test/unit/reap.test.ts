/**
 * What the others do when a worker is gone: who may be reaped, what is taken over, and what the
 * report says. The dead here are attachments that simply do nothing any more; death in the middle of
 * every step is the model tests' subject.
 */

import { EventEmitter } from 'node:events'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Arena, WorkerId } from '#src/index.ts'
import { Header, Named, RunKind, WorkerSlot } from '#src/memory/layout.ts'
import { checkPages } from '#src/memory/pages.ts'
import { ownerOf } from '#src/memory/workers.ts'
import { trio } from '../helpers/company.ts'
import { Hands } from '../helpers/hands.ts'
import { misuse, unchanged, wild } from '../helpers/refusals.ts'
import { CONFIGS } from '../helpers/tiny.ts'

const ELSEWHERE = 7
/** Node before 20.16 does not tell a thread which one it is. */
const told = 'getBuiltinModule' in process

let a: Arena
let b: Arena
let c: Arena

/** Makes believe that the worker lives in another thread. */
function moveTo(arena: Arena, thread: number): void {
  const at = arena.memory.peek(Header.workersAt) + arena.workerId * WorkerSlot.WORDS
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
      const { nap } = a.memory
      vi.spyOn(a.memory, 'nap').mockImplementation((ms) => {
        theirs.enter()
        nap.call(a.memory, ms)
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

  it.runIf(told)('until then nobody may reap it by hand', () => {
    const worker = new FakeWorker(ELSEWHERE)
    a.supervise(worker)
    expect(misuse(() => a.reap(b.workerId)).message).toMatch(
      /worker 1 is alive: it is supervised and has not exited/,
    )
  })

  it.runIf(told)('does nothing any more when the supervisor has left', () => {
    const worker = new FakeWorker(ELSEWHERE)
    a.supervise(worker, () => expect.unreachable('the supervisor has left'))
    a.detach()
    worker.emit('exit', 0)
    expect(b.stats().workers.attached).toEqual([1, 2])
  })
})
