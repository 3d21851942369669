/**
 * The four queue types against an array: every verb, every way to walk, and every word of the queue
 * checked after each step.
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena, type Item, type SmrQueue, SmrStailQ, SmrTailQ } from '#src/index.ts'
import { contents, headOf, KINDS, LINK, Stage } from './queueStage.ts'

function insertTail(queue: SmrQueue, item: Item): void {
  if (!(queue instanceof SmrStailQ || queue instanceof SmrTailQ)) throw new Error('has no tail')
  queue.insertTail(item)
}

describe.each(KINDS)('$name', (kind) => {
  const { doubly, tail } = kind

  it('is empty when it is made, whatever stood in its head', () => {
    const { queue, words } = new Stage(kind)
    expect(contents(queue)).toEqual([])
    words[headOf(queue)] = 4711
    queue.init()
    expect(contents(queue)).toEqual([])
    expect(queue.kind).toBe(kind.name)
  })

  it('inserts at the head', () => {
    const stage = new Stage(kind)
    const { queue } = stage
    const [a, b, c] = stage.items(3) as [Item, Item, Item]
    queue.insertHead(c)
    expect(contents(queue)).toEqual([c])
    queue.insertHead(b)
    queue.insertHead(a)
    expect(contents(queue)).toEqual([a, b, c])
  })

  it('inserts at the tail, if it has one', () => {
    const stage = new Stage(kind)
    const { queue } = stage
    const [a, b, c, d] = stage.items(4) as [Item, Item, Item, Item]
    expect('insertTail' in queue).toBe(tail)
    if (!tail) return
    insertTail(queue, b)
    expect(contents(queue)).toEqual([b])
    insertTail(queue, c)
    insertTail(queue, d)
    queue.insertHead(a)
    expect(contents(queue)).toEqual([a, b, c, d])
  })

  it.each([0, 1, 2])('removes element %i of three, which still leads on', (i) => {
    const stage = new Stage(kind)
    const queue = stage.another(...stage.items(3))
    const before = contents(queue)
    const gone = before[i] as Item
    const next = queue.enteredNext(gone)
    queue.remove(gone)
    expect(contents(queue)).toEqual(before.toSpliced(i, 1))
    expect(queue.enteredNext(gone)).toBe(next)
    queue.insertHead(gone)
    expect(contents(queue)[0]).toBe(gone)
  })

  it('removes the only one', () => {
    const stage = new Stage(kind)
    const item = stage.item()
    const queue = stage.another(item)
    queue.remove(item)
    expect(contents(queue)).toEqual([])
    queue.insertHead(item)
    expect(contents(queue)).toEqual([item])
  })

  it.each([0, 1, 2])('replaces element %i of three, which still leads on', (i) => {
    const stage = new Stage(kind)
    const queue = stage.another(...stage.items(3))
    const before = contents(queue)
    const old = before[i] as Item
    const item = stage.item()
    const next = queue.enteredNext(old)
    queue.replace(old, item)
    expect(contents(queue)).toEqual(before.with(i, item))
    expect(queue.enteredNext(old)).toBe(next)
  })

  it.each([
    [0, 0],
    [0, 2],
    [2, 0],
    [1, 1],
    [2, 3],
  ])('appends: %i elements get %i more, which their queue still leads to', (own, more) => {
    const stage = new Stage(kind)
    const dst = stage.another(...stage.items(own))
    const src = stage.another(...stage.items(more))
    const [first, then] = [contents(dst), contents(src)]
    dst.append(src)
    expect(contents(dst)).toEqual([...first, ...then])
    expect([...src.entered()]).toEqual(then)
    src.init()
    expect(contents(src)).toEqual([])
    const item = stage.item()
    if (tail) insertTail(dst, item)
    else dst.insertHead(item)
    const after = tail ? [...first, ...then, item] : [item, ...first, ...then]
    expect(contents(dst)).toEqual(after)
    for (const each of after) dst.remove(each)
    expect(contents(dst)).toEqual([])
  })

  it('the safe walk survives the removal of what it is at', () => {
    const stage = new Stage(kind)
    const queue = stage.another(...stage.items(5))
    const before = contents(queue)
    const seen: Item[] = []
    for (const item of queue.serializedSafe()) {
      seen.push(item)
      if (seen.length !== 2) queue.remove(item)
      stage.words.fill(-1, item, item + (seen.length === 2 ? 0 : LINK + 2))
    }
    expect(seen).toEqual(before)
    expect(contents(queue)).toEqual([before[1]])
  })

  describe('the manual iterator', () => {
    for (let mask = 0; mask < 16; mask++) {
      it(`erases ${mask.toString(2)}`, () => {
        const stage = new Stage(kind)
        const queue = stage.another(...stage.items(4))
        const before = contents(queue)
        const erased = before.filter((_, i) => mask & (1 << i))
        const cursor = queue.iterate()
        expect(cursor.current).toBe(0)
        const seen: Item[] = []
        for (let item = cursor.advance(); item !== 0; item = cursor.advance()) {
          seen.push(item)
          if (erased.includes(item)) cursor.erase()
          else cursor.next()
          expect(cursor.current).toBe(item)
        }
        expect(cursor.advance()).toBe(0)
        expect(seen).toEqual(before)
        expect(contents(queue)).toEqual(before.filter((each) => !erased.includes(each)))
        const item = stage.item()
        if (tail) insertTail(queue, item)
        else queue.insertHead(item)
        expect(contents(queue)).toContain(item)
      })
    }

    it('erases in a few steps, however long the way', () => {
      const stage = new Stage(kind)
      const queue = stage.another(...stage.items(200))
      const { memory } = stage.arena
      const cursor = queue.iterate()
      const last = contents(queue).at(-1)
      for (let at = cursor.advance(); at !== last; at = cursor.advance()) cursor.next()
      const { peek } = memory
      let looks = 0
      memory.peek = (at) => {
        looks++
        return peek.call(memory, at)
      }
      cursor.erase()
      memory.peek = peek
      expect(looks).toBeLessThan(6)
      expect(contents(queue)).toHaveLength(199)
    })
  })

  it('can be opened by another worker', () => {
    const stage = new Stage(kind)
    const queue = stage.another(...stage.items(3))
    const other = Arena.attach(stage.arena.handle)
    const same = kind.make(other, { head: headOf(queue), link: LINK })
    const item = stage.item()
    same.insertHead(item)
    expect(contents(same)).toEqual(contents(queue))
    const more = stage.another(...stage.items(2))
    same.append(more)
    expect(contents(queue)).toHaveLength(6)
  })

  it('repairs what a dead writer has left behind its store', () => {
    const stage = new Stage(kind)
    const { words } = stage
    const queue = stage.another(...stage.items(3))
    const before = contents(queue)
    for (const item of before) if (doubly) words[item + LINK + 1] = 4711
    if (tail) words[headOf(queue) + 1] = 4711
    expect(queue.repair()).toBe(3)
    expect(contents(queue)).toEqual(before)
    expect(stage.another().repair()).toBe(0)
  })

  it('does what an array does, whatever happens', () => {
    const verbs = ['head', 'tail', 'remove', 'replace', 'append', 'sweep', 'repair'] as const
    const step = fc.record({ verb: fc.constantFrom(...verbs), at: fc.nat(), bits: fc.nat(255) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const stage = new Stage(kind)
        const { queue } = stage
        const model: Item[] = []
        for (const { verb, at, bits } of steps) {
          const place = at % Math.max(1, model.length)
          const chosen = model[place]
          if (verb === 'head') {
            model.unshift(stage.item())
            queue.insertHead(model[0] as Item)
          } else if (verb === 'tail' && tail) {
            const item = stage.item()
            model.push(item)
            insertTail(queue, item)
          } else if (verb === 'remove' && chosen !== undefined) {
            model.splice(place, 1)
            queue.remove(chosen)
          } else if (verb === 'replace' && chosen !== undefined) {
            const item = stage.item()
            model[place] = item
            queue.replace(chosen, item)
          } else if (verb === 'append') {
            const src = stage.another(...stage.items(bits % 3))
            model.push(...contents(src))
            queue.append(src)
          } else if (verb === 'sweep') {
            const cursor = queue.iterate()
            const kept = model.filter((_, i) => !(bits & (1 << (i % 8))))
            for (const item of cursor) kept.includes(item) ? cursor.next() : cursor.erase()
            model.splice(0, model.length, ...kept)
          } else if (verb === 'repair') {
            expect(queue.repair()).toBe(model.length)
          }
          expect(contents(queue)).toEqual(model)
        }
      }),
      { numRuns: 60 },
    )
  })
})
