/**
 * The four types on one stage: a small arena, items with a link at an odd place, and the words of a
 * queue as anybody may look at them.
 */

import {
  Arena,
  type Item,
  SmrList,
  type SmrQueue,
  SmrSList,
  SmrStailQ,
  SmrTailQ,
} from '#src/index.ts'

/** Words from the beginning of an item to its `next`; `prev` is the word behind. */
export const LINK = 3
export const PREV = LINK + 1
const BYTES = 32

export interface Kind {
  readonly name: string
  readonly doubly: boolean
  readonly tail: boolean
  readonly make: (arena: Arena, options: { head: number; link: number }) => SmrQueue
}

export const KINDS: readonly Kind[] = [
  { name: 'SmrSList', doubly: false, tail: false, make: (a, o) => new SmrSList(a, o) },
  { name: 'SmrList', doubly: true, tail: false, make: (a, o) => new SmrList(a, o) },
  { name: 'SmrStailQ', doubly: false, tail: true, make: (a, o) => new SmrStailQ(a, o) },
  { name: 'SmrTailQ', doubly: true, tail: true, make: (a, o) => new SmrTailQ(a, o) },
]

/** An arena with items, and a queue with its head in one of them. */
export class Stage {
  readonly arena = Arena.create({ bytes: 2 ** 17, maxWorkers: 2 })
  readonly words = this.arena.words
  readonly queue: SmrQueue
  private readonly kind: Kind
  private readonly zone = this.arena.zone('elements', { bytes: BYTES })

  constructor(kind: Kind) {
    this.kind = kind
    this.queue = this.another()
  }

  /** An empty queue of the same type, with items in it. */
  another(...items: Item[]): SmrQueue {
    const queue = this.kind.make(this.arena, { head: this.zone.zalloc(), link: LINK })
    queue.init()
    for (const item of items.reverse()) queue.insertHead(item)
    return queue
  }

  /** Items, their words full of rubbish. */
  items<N extends number>(count: N): N extends 1 ? [Item] : Item[]
  items(count: number): Item[] {
    return Array.from({ length: count }, () => {
      const item = this.zone.zalloc()
      this.words.fill(-1, item, item + BYTES / 4)
      this.words[item + PREV] = 0
      return item
    })
  }

  item(): Item {
    return this.items(1)[0]
  }
}

export function headOf(queue: SmrQueue): number {
  return queue.links.head
}

/** The elements, every way there is to walk, and all of its words checked. */
export function contents(queue: SmrQueue): Item[] {
  const entered: Item[] = []
  for (let it = queue.enteredFirst(); it !== 0; it = queue.enteredNext(it)) entered.push(it)
  const serialized: Item[] = []
  for (let it = queue.serializedFirst(); it !== 0; it = queue.serializedNext(it))
    serialized.push(it)
  const kept: Item[] = []
  const cursor = queue.iterate()
  for (const item of cursor) {
    kept.push(item)
    cursor.next()
  }
  const walks = [serialized, kept, [...queue.entered()], [...queue.serialized()]]
  walks.push([...queue.serializedSafe()])
  for (const walk of walks) {
    if (String(walk) !== String(entered)) throw new Error(`walks differ: ${walk}, not ${entered}`)
  }
  if (queue.check() !== entered.length) throw new Error('check counts otherwise')
  if (queue.empty !== (entered.length === 0)) throw new Error('empty says otherwise')
  return entered
}
