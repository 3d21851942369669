/**
 * Fingerprints of states, and the set of those already visited.
 *
 * Two lanes of 32 bits are mixed independently, so a fingerprint has 64 bits. Two different states
 * with one fingerprint would hide a schedule; with ten million states the odds of a single such
 * pair are about one in 400,000.
 *
 * `Visited` is an open-addressed table in one Int32Array: three words an entry, the two lanes and
 * the price (preemptions spent, plus one, so that 0 is an empty entry) at which the state was
 * reached. Coming back at the same price or a higher one brings nothing new; coming back cheaper
 * does, because more preemptions are left to spend.
 */

export const SEED_A: number = 0x2545f491
export const SEED_B: number = 0x6c078965

export function mixA(hash: number, value: number): number {
  const h = Math.imul(hash ^ value, 0x9e3779b1)
  return (h ^ (h >>> 15)) + 0x7f4a7c15
}

export function mixB(hash: number, value: number): number {
  const h = Math.imul((hash + value) | 0, 0x85ebca6b)
  return (h ^ (h >>> 13)) + 0x165667b1
}

const ENTRY = 3
const FIRST_ENTRIES = 1 << 12
/** 200 MB. Beyond it nothing is remembered, which costs time and never soundness. */
const MOST_ENTRIES = 1 << 24

export class Visited {
  size = 0
  private entries = FIRST_ENTRIES
  private table = new Int32Array(FIRST_ENTRIES * ENTRY)

  /** True when the state has been reached at this price or cheaper; otherwise remembers it. */
  seen(a: number, b: number, price: number): boolean {
    const { table } = this
    const cost = price + 1
    for (let slot = this.slotOf(a, b); ; slot = this.after(slot)) {
      const known = table[slot + 2] as number
      if (known === 0) {
        this.remember(slot, a, b, cost)
        return false
      }
      if (table[slot] !== a || table[slot + 1] !== b) continue
      if (known <= cost) return true
      table[slot + 2] = cost
      return false
    }
  }

  private remember(slot: number, a: number, b: number, cost: number): void {
    if (this.size * 2 > this.entries) {
      if (this.entries >= MOST_ENTRIES) return
      this.grow()
      let free = this.slotOf(a, b)
      while (this.table[free + 2] !== 0) free = this.after(free)
      this.put(free, a, b, cost)
    } else {
      this.put(slot, a, b, cost)
    }
    this.size++
  }

  private put(slot: number, a: number, b: number, cost: number): void {
    this.table[slot] = a
    this.table[slot + 1] = b
    this.table[slot + 2] = cost
  }

  private slotOf(a: number, b: number): number {
    return ((a ^ Math.imul(b, 0x27d4eb2f)) & (this.entries - 1)) * ENTRY
  }

  private after(slot: number): number {
    const next = slot + ENTRY
    return next === this.entries * ENTRY ? 0 : next
  }

  private grow(): void {
    const old = this.table
    this.entries *= 2
    this.table = new Int32Array(this.entries * ENTRY)
    for (let from = 0; from < old.length; from += ENTRY) {
      const cost = old[from + 2] as number
      if (cost === 0) continue
      const a = old[from] as number
      const b = old[from + 1] as number
      let slot = this.slotOf(a, b)
      while (this.table[slot + 2] !== 0) slot = this.after(slot)
      this.put(slot, a, b, cost)
    }
  }
}
