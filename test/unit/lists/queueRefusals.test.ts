/**
 * What queues refuse: Misuse and Corruption, each with the words it is about, and without having
 * changed one.
 */

import { describe, expect, it } from 'vitest'
import type { Item, SmrQueue } from '#src/index.ts'
import { corruption, misuse, unchanged, wild } from '../../helpers/refusals.ts'
import { contents, headOf, KINDS, LINK, PREV, Stage } from './queueStage.ts'

type Tail = SmrQueue & { insertTail(item: Item): void }
const tailed = (queue: SmrQueue): Tail => queue as Tail

describe.each(KINDS)('$name', (kind) => {
  const { doubly, name, tail } = kind
  const stage = new Stage(kind)
  const { arena, words } = stage
  /** In no queue. */
  const spare = stage.item()
  const refusedMisuse = (fn: () => unknown) => unchanged(arena, () => misuse(fn))
  const refusedCorruption = (fn: () => unknown) => unchanged(arena, () => corruption(fn))
  const three = (): [SmrQueue, Item, Item, Item] => {
    const queue = stage.another(...stage.items(3))
    const [a, b, c] = contents(queue) as [Item, Item, Item]
    return [queue, a, b, c]
  }
  /** Every verb that takes an item from its caller. */
  const takers = (queue: SmrQueue, in_: Item): Record<string, (item: Item) => unknown> => ({
    enteredNext: (item) => queue.enteredNext(item),
    serializedNext: (item) => queue.serializedNext(item),
    insertHead: (item) => queue.insertHead(item),
    remove: (item) => queue.remove(item),
    replace: (item) => queue.replace(in_, item),
    ...(tail && {
      insertTail: (item) => tailed(queue).insertTail(item),
    }),
  })

  it('heads and links that are not in the arena', () => {
    const most = words.length
    for (const head of [0, -8, 1.5, most, most - (tail ? 1 : 0), Number.NaN, '8', undefined]) {
      if (head === most - 1) continue
      const { message } = refusedMisuse(() => kind.make(arena, { head: wild(head), link: LINK }))
      expect(message).toContain(`new ${name}: head is`)
    }
    if (tail) refusedMisuse(() => kind.make(arena, { head: most - 1, link: 0 }))
    for (const link of [-1, 0.5, most, Number.NaN, null]) {
      const { message } = refusedMisuse(() => kind.make(arena, { head: 8, link: wild(link) }))
      expect(message).toContain(`new ${name}: link is`)
    }
    refusedMisuse(() => kind.make(arena, wild({ head: 8, link: 1, tail: 2 })))
    refusedMisuse(() => kind.make(arena, wild(undefined)))
  })

  it('items that are not in the arena', () => {
    const [queue, a] = three()
    const most = words.length - LINK - (doubly ? 2 : 1)
    for (const [verb, take] of Object.entries(takers(queue, a))) {
      for (const item of [0, -1, 1.5, most + 1, words.length, 2 ** 32 + a, Number.NaN, undefined]) {
        const { message } = refusedMisuse(() => take(wild(item)))
        expect(message).toBe(`${name}.${verb}: item is ${item}; give an integer from 1 to ${most}`)
      }
    }
    refusedMisuse(() => queue.replace(0 as Item, a))
  })

  it('removing and replacing what is not in it', () => {
    const [queue] = three()
    const item = spare
    const { message } = refusedMisuse(() => queue.remove(item))
    expect(message).toBe(`${name}.remove: item ${item} is not in this queue`)
    refusedMisuse(() => queue.replace(item, spare))
    refusedMisuse(() => stage.queue.remove(item))
  })

  it('removing twice', () => {
    const [queue, a, b, c] = three()
    for (const item of [b, c, a]) {
      queue.remove(item)
      refusedMisuse(() => queue.remove(item))
      refusedMisuse(() => queue.replace(item, spare))
    }
    const old = stage.item()
    queue.insertHead(old)
    queue.replace(old, a)
    refusedMisuse(() => queue.remove(old))
  })

  it('elements that would lead to themselves', () => {
    const [queue, a, b, c] = three()
    refusedMisuse(() => queue.insertHead(a))
    refusedMisuse(() => queue.replace(b, a))
    refusedMisuse(() => queue.replace(b, b))
    refusedMisuse(() => queue.replace(b, c))
    if (tail) refusedMisuse(() => tailed(queue).insertTail(c))
  })

  describe('append', () => {
    it('of itself', () => {
      for (const queue of [stage.another(), three()[0]]) {
        refusedMisuse(() => queue.append(queue))
      }
    })

    it('twice, either way', () => {
      const [dst] = three()
      const [src] = three()
      dst.append(src)
      refusedMisuse(() => dst.append(src))
      refusedMisuse(() => src.append(dst))
    })

    it('of what is no such queue', () => {
      const [queue] = three()
      for (const other of KINDS.filter((each) => each !== kind)) {
        const src = other.make(arena, { head: headOf(stage.another()), link: LINK })
        src.init()
        refusedMisuse(() => queue.append(src))
      }
      const elsewhere = kind.make(arena, { head: headOf(stage.another()), link: 0 })
      refusedMisuse(() => queue.append(elsewhere))
      refusedMisuse(() => queue.append(new Stage(kind).queue))
      for (const src of [undefined, null, {}, 7]) {
        const { message } = refusedMisuse(() => queue.append(wild(src)))
        expect(message).toContain(`give a ${name}`)
      }
    })

    it('with words that are wrong at the seam', () => {
      const [dst] = three()
      const [src, a] = three()
      if (doubly) {
        words[a + PREV] = 99
        refusedCorruption(() => dst.append(src))
        words[a + PREV] = headOf(src)
      }
      if (tail) {
        for (const queue of [src, dst]) {
          const lastAt = headOf(queue) + 1
          const last = words[lastAt] as number
          for (const wrong of [a + LINK, 0, -1, words.length]) {
            words[lastAt] = wrong
            refusedCorruption(() => dst.append(src))
          }
          words[lastAt] = last
        }
      }
      dst.append(src)
      expect(contents(dst)).toHaveLength(6)
    })
  })

  it('elements that lie outside the arena', () => {
    const [queue, a, b, c] = three()
    for (const wrong of [-1, words.length, words.length - LINK]) {
      for (const [at, actions] of [
        [headOf(queue), [() => queue.serializedFirst(), () => queue.insertHead(spare)]],
        [b + LINK, [() => queue.serializedNext(b), () => [...queue.serialized()]]],
        [b + LINK, [() => queue.repair(), () => queue.check(), () => [...queue.serializedSafe()]]],
        [b + LINK, [() => queue.remove(b), () => queue.replace(b, a), () => cursorTo(queue, b)]],
        [a + LINK, doubly ? [] : [() => queue.remove(c), () => queue.remove(spare)]],
      ] as const) {
        const right = words[at] as number
        words[at] = wrong
        for (const action of actions) {
          const { facts, message } = refusedCorruption(action)
          expect(facts).toMatchObject({ head: headOf(queue), at, found: wrong })
          expect(message).toContain(`${name} at ${headOf(queue)}: word ${at} holds ${wrong}`)
        }
        words[at] = right
      }
    }
    expect(contents(queue)).toEqual([a, b, c])
  })

  function cursorTo(queue: SmrQueue, item: Item): void {
    const cursor = queue.iterate()
    while (cursor.advance() !== item) cursor.next()
    cursor.erase()
  }

  it('a circle', () => {
    const [queue, a, , c] = three()
    words[c + LINK] = a
    for (const action of [() => queue.check(), () => queue.repair(), () => queue.remove(spare)]) {
      if (doubly && action.toString().includes('remove')) continue
      const { message } = refusedCorruption(action)
      if (!doubly) expect(message).toContain('runs in a circle')
    }
  })

  it.runIf(doubly)('a next element that knows another predecessor', () => {
    const [queue, a, b, c] = three()
    const at = b + PREV
    words[at] = 99
    for (const action of [
      () => queue.remove(a),
      () => queue.replace(a, spare),
      () => cursorTo(queue, a),
      () => queue.check(),
    ]) {
      const { facts } = refusedCorruption(action)
      expect(facts).toMatchObject({ at, found: 99 })
    }
    words[at] = a + LINK
    words[a + PREV] = 99
    expect(refusedCorruption(() => queue.insertHead(spare)).facts).toMatchObject({
      at: a + PREV,
      found: 99,
    })
    words[a + PREV] = headOf(queue)
    expect(contents(queue)).toEqual([a, b, c])
  })

  it.runIf(doubly)('an element whose predecessor leads elsewhere', () => {
    const [queue, a, b] = three()
    for (const [wrong, at] of [
      [headOf(queue), headOf(queue)],
      [-1, b + PREV],
      [words.length, b + PREV],
    ] as const) {
      words[b + PREV] = wrong
      const actions = [() => queue.remove(b), () => queue.replace(b, spare)]
      for (const action of actions) expect(refusedCorruption(action).facts).toMatchObject({ at })
    }
    words[b + PREV] = a + LINK
    queue.remove(b)
  })

  it.runIf(tail)('a last word that is not the last', () => {
    const [queue, a, b, c] = three()
    const lastAt = headOf(queue) + 1
    const actions = [
      () => queue.remove(c),
      () => queue.replace(c, spare),
      () => cursorTo(queue, c),
      () => queue.check(),
    ]
    const tailActions = [() => tailed(queue).insertTail(spare)]
    for (const wrong of [a + LINK, headOf(queue), -5]) {
      words[lastAt] = wrong
      for (const action of actions) {
        expect(refusedCorruption(action).facts).toMatchObject({ at: lastAt, found: wrong })
      }
      for (const action of tailActions) refusedCorruption(action)
    }
    words[lastAt] = c + LINK
    expect(contents(queue)).toEqual([a, b, c])
    const empty = stage.another()
    words[headOf(empty) + 1] = 99
    refusedCorruption(() => empty.insertHead(spare))
  })

  describe('the manual iterator', () => {
    it('a turn that decides nothing', () => {
      const [queue, a, b] = three()
      const cursor = queue.iterate()
      cursor.advance()
      expect(refusedMisuse(() => cursor.advance()).message).toContain('neither next nor erase')
      cursor.next()
      expect(cursor.advance()).toBe(b)
      const loop = () => {
        for (const item of queue.iterate()) expect(item).toBe(a)
      }
      refusedMisuse(loop)
    })

    it('a turn that decides twice', () => {
      const [queue] = three()
      const cursor = queue.iterate()
      for (const first of ['next', 'erase'] as const) {
        cursor.advance()
        cursor[first]()
        for (const second of ['next', 'erase'] as const) {
          const { message } = refusedMisuse(() => cursor[second]())
          expect(message).toContain(`cursor.${second}`)
          expect(message).toContain('has been decided')
        }
      }
    })

    it('a decision about nothing', () => {
      const [queue] = three()
      const cursor = queue.iterate()
      for (const verb of ['next', 'erase'] as const) refusedMisuse(() => cursor[verb]())
      for (const _ of cursor) cursor.erase()
      for (const verb of ['next', 'erase'] as const) refusedMisuse(() => cursor[verb]())
      expect(contents(queue)).toEqual([])
    })

    it('a queue that was changed during the turn', () => {
      const [queue, a] = three()
      const cursor = queue.iterate()
      cursor.advance()
      queue.insertHead(stage.item())
      for (const verb of ['next', 'erase'] as const) {
        expect(refusedMisuse(() => cursor[verb]()).message).toContain('changed under it')
      }
      const other = queue.iterate()
      other.advance()
      other.next()
      expect(other.advance()).toBe(a)
      queue.remove(a)
      refusedMisuse(() => other.next())
    })

    it('can be tried again after a refusal', () => {
      if (!doubly) return
      const [queue, a, b] = three()
      const cursor = queue.iterate()
      cursor.advance()
      words[b + PREV] = 99
      refusedCorruption(() => cursor.erase())
      words[b + PREV] = a + LINK
      cursor.erase()
      expect(cursor.advance()).toBe(b)
    })
  })
})
