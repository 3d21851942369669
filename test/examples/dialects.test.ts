/** The dialects' examples run, end well, and are what they say of themselves. */

import { expect, it } from 'vitest'
import { claims, run, sourceOf } from './examples.ts'

it('FreeBSD: lookups in sections, inserts and removals under a mutex, in four threads', async () => {
  const ending = await run('freebsd/main.ts')
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending)).toEqual({
    yes: [
      'no reader saw a torn or recycled connection',
      'no reader missed one that is never removed',
      'all connections are there',
      'everybody got somewhere',
    ],
    no: [],
  })
  const workers = ending.lines.filter((line) => /^(?:reader|writer) \d+ {2}\S+ /.test(line))
  expect(workers).toHaveLength(4)
})

it('NetBSD: before and after differ in what they do', async () => {
  const ending = await run('netbsd/main.ts')
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending)).toEqual({
    yes: [
      'no reader saw a torn or recycled route',
      'before, the clock moved for every change',
      'after, it moved for a bucketful at a time',
      'after, there were more changes in the same time',
    ],
    no: [],
  })
})

it('and in two lines of their source', async () => {
  const before = await sourceOf('netbsd/before.ts')
  const after = await sourceOf('netbsd/after.ts')
  const perform = '      netbsd.pserialize_perform(this.psz)'
  const setSmr = '    netbsd.pool_cache_set_smr(this.pool, this.psz)'
  expect(before.filter((line) => line === perform)).toHaveLength(1)
  expect(after.filter((line) => line === setSmr)).toHaveLength(1)
  expect(after.filter((line) => line !== setSmr)).toEqual(before.filter((line) => line !== perform))
})

it("NetBSD: a retire list of one's own", async () => {
  const ending = await run('netbsd/retire.ts')
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending).no).toEqual([])
  expect(claims(ending).yes).toHaveLength(7)
})

it('OpenBSD: smr_call on removed entries, and smr_barrier before a module is unloaded', async () => {
  const ending = await run('openbsd/main.ts')
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending)).toEqual({
    yes: [
      'no reader saw an entry that was freed',
      'no reader missed an entry while the module was loaded',
      'no reader found one when it was gone',
      'every entry was freed, once',
      'no callback ran after smr_barrier',
    ],
    no: [],
  })
  expect(ending.lines).toContain('smr_barrier: 0')
  expect(ending.lines.filter((line) => /^worker \d+: [1-9]/.test(line))).toHaveLength(2)
})

it('XNU: a hash table of SMR queues, in three threads', async () => {
  const ending = await run('xnu/hash.ts')
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending)).toEqual({
    yes: [
      'no reader saw an element that was freed',
      'no reader missed a name that is never removed',
      'the chains hold every element that is not free',
      'the clock was moved once per bucket',
    ],
    no: [],
  })
})

it('XNU: sections across an await, and a writer in another thread', async () => {
  const ending = await run('xnu/sleepable.ts')
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending).no).toEqual([])
  expect(claims(ending).yes[0]).toBe('no task saw an entry that was freed while it waited')
  expect(claims(ending).yes).toHaveLength(5)
})

it('XNU: two subsystems share a domain, and do not', async () => {
  const ending = await run('xnu/split.ts')
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending).no).toEqual([])
  expect(claims(ending).yes).toHaveLength(7)
  const domains = ending.lines.filter((line) => line.startsWith('domain '))
  expect(domains.map((line) => line.replace(/,.*/, ''))).toEqual([
    'domain smr_system: 8 advances',
    'domain mail: 4 advances',
    'domain files: 4 advances',
  ])
})

it('XNU: two threads make and end the same tasks in a scalable hash table', async () => {
  const ending = await run('xnu/tasks.ts')
  expect(ending.code, ending.stderr).toBe(0)
  expect(claims(ending)).toEqual({
    yes: [
      'every task was made once and ended once',
      'a renewed task is the new one',
      'destroy has told of those left',
    ],
    no: [],
  })
})
