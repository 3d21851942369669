/**
 * What the host tells: which thread this is, what time it is, who asked for what; how a action is put off to a later turn, and how a failure is told. With a safe answer where
 * the host has none.
 */

import { threadId as nodeThreadId } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  asyncScope,
  endOfTurn,
  exitingThread,
  later,
  now,
  repeat,
  report,
  sleep,
  threadId,
  UNKNOWN_THREAD,
} from '#src/base/host.ts'
import { misuse } from '../../helpers/refusals.ts'
import { TOKEN } from '../../model/thread.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

it('a thread has the number that its parent sees', () => {
  // Node before 20.16 does not tell.
  const told = 'getBuiltinModule' in process
  expect(threadId()).toBe(told ? nodeThreadId : UNKNOWN_THREAD)
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

describe('the end of a turn', () => {
  /** A host module of its own, that has seen none of what the others have made. */
  async function fresh(): Promise<typeof import('#src/base/host.ts')> {
    vi.resetModules()
    return import('#src/base/host.ts')
  }

  /** What happened, in order, around the end of the turn in which this is called. */
  async function order(endOfTurn: (callback: () => void) => void): Promise<string[]> {
    const said: string[] = []
    endOfTurn(() => said.push('end'))
    queueMicrotask(() => {
      said.push('microtask')
      queueMicrotask(() => said.push('its microtask'))
    })
    said.push('task')
    while (!said.includes('end')) await new Promise((resolve) => setTimeout(resolve, 1))
    return said
  }

  const EXPECTED = ['task', 'microtask', 'its microtask', 'end']

  it('comes after the task and all its microtasks', async () => {
    const { endOfTurn } = await fresh()
    expect(await order(endOfTurn)).toEqual(EXPECTED)
  })

  it('where there is no setImmediate, by a message on one channel, each callback once', async () => {
    let opened = 0
    class Channel extends MessageChannel {
      constructor() {
        super()
        opened++
        this.port1.unref()
      }
    }
    vi.stubGlobal('setImmediate', undefined)
    vi.stubGlobal('MessageChannel', Channel)
    const { endOfTurn } = await fresh()
    expect(await order(endOfTurn)).toEqual(EXPECTED)
    const heard: number[] = []
    for (let i = 0; i < 3; i++) endOfTurn(() => heard.push(i))
    expect(heard).toEqual([])
    while (heard.length < 3) await new Promise((resolve) => setTimeout(resolve, 1))
    expect([heard, opened]).toEqual([[0, 1, 2], 1])
  })

  it('where there is neither, by a timer', async () => {
    vi.stubGlobal('setImmediate', undefined)
    vi.stubGlobal('MessageChannel', undefined)
    const { endOfTurn } = await fresh()
    expect(await order(endOfTurn)).toEqual(EXPECTED)
  })

  it('clears what a turn section has published, in each of these hosts', async () => {
    for (const missing of [[], ['setImmediate'], ['setImmediate', 'MessageChannel']]) {
      vi.resetModules()
      for (const name of missing) vi.stubGlobal(name, undefined)
      const { Arena } = await import('#src/index.ts')
      const { DomainWords } = await import('#src/memory/layout.ts')
      const arena = Arena.create({ bytes: 2 ** 18 })
      const smr = arena.smr('d', { sections: 'turn' })
      const word = (): number => arena.memory.load(smr.address + DomainWords.WORDS)
      for (let turn = 0; turn < 2; turn++) {
        smr.read(() => {})
        await Promise.resolve()
        expect(word()).not.toBe(0)
        for (let ms = 0; ms < 200 && word() !== 0; ms++) {
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
        expect(word()).toBe(0)
      }
      arena.detach()
      vi.unstubAllGlobals()
    }
  })
})

describe('repeat', () => {
  it('calls back until the answer is no, from a microtask, and keeps nobody alive', async () => {
    let calls = 0
    await new Promise<void>((resolve) => {
      repeat(() => {
        calls++
        if (calls === 3) resolve()
        return calls < 3
      }, 1)
      setTimeout(() => {}, 1000).unref()
      const alive = setInterval(() => {
        if (calls >= 3) clearInterval(alive)
      }, 1)
    })
    await sleep(5)
    expect(calls).toBe(3)
  })
})

it('timers and clocks that are exchanged later do not stop time', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance', 'Date'] })
  try {
    const begun = now()
    await sleep(2)
    await new Promise<void>((resolve) => endOfTurn(resolve))
    expect(now()).toBeGreaterThan(begun)
  } finally {
    vi.useRealTimers()
  }
})

describe('asyncScope', () => {
  const known = threadId() !== UNKNOWN_THREAD

  it.runIf(known)(
    'follows a task through its awaits, timers and turns, and nobody else',
    async () => {
      const scope = asyncScope<string>()
      const seen: unknown[] = []
      const note = (): void => {
        seen.push(scope?.getStore())
      }
      const inside = scope?.run('task', async () => {
        note()
        await sleep(1)
        note()
        await new Promise<void>((resolve) =>
          endOfTurn(() => {
            note()
            resolve()
          }),
        )
        await Promise.all([scope.run('inner', async () => note()), sleep(0).then(note)])
      })
      note()
      await inside
      note()
      expect(seen).toEqual(['task', undefined, 'task', 'task', 'inner', 'task', undefined])
    },
  )

  it('is nothing where the host cannot follow', () => {
    vi.stubGlobal('process', { getBuiltinModule: () => undefined })
    const without = asyncScope()
    vi.stubGlobal('process', undefined)
    expect([without, asyncScope()]).toEqual([undefined, undefined])
  })
})

describe('report', () => {
  const told: unknown[] = []
  const tell = (what: unknown): void => {
    told.push(what)
  }
  afterEach(() => {
    told.length = 0
  })

  it('is a process warning in Node, with the error itself', () => {
    vi.stubGlobal('process', { emitWarning: tell })
    const error = new Error('mine')
    report(error)
    report('text')
    report(undefined)
    expect(told).toEqual([error, 'uma-smr: "text"', 'uma-smr: undefined'])
  })

  it('is none of what a test ends a thread with', () => {
    vi.stubGlobal('process', { emitWarning: tell })
    report(TOKEN)
    expect(told).toEqual([])
  })

  it('is the page’s own error event in a browser, and nothing where there is none', () => {
    vi.stubGlobal('process', undefined)
    vi.stubGlobal('reportError', tell)
    report('text')
    vi.stubGlobal('reportError', undefined)
    report('lost')
    expect(told).toEqual(['text'])
  })

  it('never throws', () => {
    const fail = (): never => {
      throw new Error('no')
    }
    vi.stubGlobal('process', { emitWarning: fail })
    report('text')
    vi.stubGlobal('process', { emitWarning: tell })
    report({
      get constructor(): unknown {
        return fail()
      },
    })
    vi.stubGlobal('process', undefined)
    vi.stubGlobal('reportError', fail)
    report('text')
    // What cannot be shown is told as what it is.
    expect(told).toEqual(['uma-smr: object'])
  })
})

describe('later', () => {
  const order = async (
    ms: number,
    later: typeof import('#src/base/host.ts').later,
  ): Promise<string[]> => {
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      later(
        () => {
          seen.push('later')
          resolve()
        },
        ms,
        true,
      )
      void Promise.resolve().then(() => seen.push('microtask'))
      seen.push('now')
    })
    return seen
  }

  it.each([0, 3])('is when this turn and its microtasks are over: %s ms', async (ms) => {
    expect(await order(ms, later)).toEqual(['now', 'microtask', 'later'])
  })

  it.each([
    ['a message to ourselves where there is no setImmediate', { setImmediate: undefined }],
    ['a timer where there is neither', { setImmediate: undefined, MessageChannel: undefined }],
  ])('is %s', async (_, globals) => {
    for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value)
    vi.resetModules()
    const host = await import('#src/base/host.ts')
    expect(await order(0, host.later)).toEqual(['now', 'microtask', 'later'])
  })

  it('does not keep the thread alive when told so, where the host knows what that is', () => {
    const timers: unknown[] = []
    const hasRef = (keepAlive: boolean): unknown => {
      const spy = vi.spyOn(Object.getPrototypeOf(setTimeout(() => {}, 0)), 'unref')
      later(() => {}, 1, keepAlive)
      const { length } = spy.mock.calls
      spy.mockRestore()
      timers.push(length)
      return length
    }
    expect([hasRef(true), hasRef(false)]).toEqual([0, 1])
  })
})
