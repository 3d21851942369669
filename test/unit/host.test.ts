/**
 * What the host tells: which thread this is, whether it may block, what time it is; with a safe
 * answer where it tells nothing.
 */

import { threadId as nodeThreadId } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { exitingThread, mayBlock, now, sleep, threadId, UNKNOWN_THREAD } from '#src/host.ts'
import { misuse } from '../helpers/refusals.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

it('a thread has the number that its parent sees', () => {
  // Node before 20.16 does not tell.
  const told = 'getBuiltinModule' in process
  expect(threadId()).toBe(told ? nodeThreadId : UNKNOWN_THREAD)
})

it('any thread but a browser page’s may block', () => {
  expect(mayBlock()).toBe(true)
})

it('time passes in milliseconds, and is the same for all threads', () => {
  expect(Math.abs(now() - Date.now())).toBeLessThan(10_000)
})

it('sleep lets others run, for about as long as it is told', async () => {
  let turned = false
  setTimeout(() => {
    turned = true
  }, 1)
  const begun = performance.now()
  await sleep(15)
  expect(performance.now() - begun).toBeGreaterThan(12)
  expect(turned).toBe(true)
})

describe('exitingThread', () => {
  it('is the number of a worker that can tell its exit', () => {
    const worker = { threadId: 7, once: () => {} }
    if (threadId() !== UNKNOWN_THREAD) expect(exitingThread(worker)).toBe(7)
    else misuse(() => exitingThread(worker))
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a number', 3],
    ['a browser’s Worker', { postMessage() {}, addEventListener() {} }],
    ['a worker that has exited', { threadId: -1, once() {} }],
    ['the main thread', { threadId: 0, once() {} }],
    ['something without a number', { once() {} }],
  ])('refuses %s, and says what to do instead', (_, worker) => {
    expect(misuse(() => exitingThread(worker)).message).toMatch(
      /^arena\.supervise: .* is no running Worker .*; call arena\.reap when you know/,
    )
  })
})

it('where the host has no such number, the thread is unknown, which is not the main thread', () => {
  vi.stubGlobal('process', undefined)
  const thread = threadId()
  vi.unstubAllGlobals()
  expect(thread).toBe(UNKNOWN_THREAD)
  expect(UNKNOWN_THREAD).not.toBe(0)
})
