/**
 * The words of the model: what has become visible to everybody.
 *
 * Setup may write thousands of words and a schedule touches a few dozen, so a schedule begins by
 * putting back exactly the words that the one before it has touched. A fingerprint of the contents
 * is kept up to date at each write: the exclusive or of one hash per changed word, so that the
 * order of writes to different words leaves no trace.
 *
 * Two more facts per word belong to its state. `stamps` says which atomic write a load would read
 * from (thread and place in its log; 0 for setup and for plain writes): equal values from different
 * writers order later accesses differently, so merging such states would hide a race. `before` and
 * `writers` remember the value that the last write replaced, for reads that may be a moment stale.
 */

const BYTES_PER_WORD = 4

export class Cells {
  readonly words: Int32Array<ArrayBuffer>
  readonly floats: Float64Array<ArrayBuffer>
  readonly stamps: Int32Array
  readonly before: Int32Array
  /** Index of the last writer plus one; 0 when nobody has written since setup. */
  readonly writers: Uint8Array
  hashA = 0
  hashB = 0
  /** Whether fingerprints are wanted, and whether they include what stale reads may see. */
  hashing = false
  stale = false
  private readonly marks: Uint8Array
  private touched = new Int32Array(1024)
  private count = 0
  private frozen: Int32Array

  constructor(size: number) {
    const buffer = new ArrayBuffer(Math.ceil(size / 2) * 2 * BYTES_PER_WORD)
    this.words = new Int32Array(buffer, 0, size)
    this.floats = new Float64Array(buffer)
    this.stamps = new Int32Array(size)
    this.before = new Int32Array(size)
    this.writers = new Uint8Array(size)
    this.marks = new Uint8Array(size)
    this.frozen = new Int32Array(0)
  }

  /** Setup is over: every schedule starts from what the words hold now. */
  freeze(): void {
    this.forget()
    this.frozen = this.words.slice()
  }

  /** Back to where setup left things. */
  restore(): void {
    for (let i = 0; i < this.count; i++) {
      const at = this.touched[i] as number
      this.words[at] = this.frozen[at] as number
    }
    this.forget()
  }

  /** Makes `value` visible. True when the word has changed. */
  write(at: number, value: number, stamp: number, writer: number): boolean {
    if (this.marks[at] === 0) this.touch(at)
    const old = this.words[at] as number
    if (this.hashing) this.toggle(at, old)
    this.words[at] = value
    this.stamps[at] = stamp
    this.before[at] = old
    this.writers[at] = writer
    if (this.hashing) this.toggle(at, this.words[at] as number)
    return old !== this.words[at]
  }

  /** What a word held when the schedule began. */
  atFirst(at: number): number {
    return this.frozen[at] as number
  }

  private touch(at: number): void {
    this.marks[at] = 1
    if (this.count === this.touched.length) {
      const larger = new Int32Array(this.count * 2)
      larger.set(this.touched)
      this.touched = larger
    }
    this.touched[this.count++] = at
  }

  private forget(): void {
    for (let i = 0; i < this.count; i++) {
      const at = this.touched[i] as number
      this.stamps[at] = 0
      this.before[at] = 0
      this.writers[at] = 0
      this.marks[at] = 0
    }
    this.count = 0
    this.hashA = 0
    this.hashB = 0
  }

  private toggle(at: number, value: number): void {
    let extra = this.stamps[at] as number
    if (this.stale) {
      extra ^= Math.imul(this.before[at] as number, 0x2c1b3c6d) + (this.writers[at] as number)
    }
    let x = Math.imul(at, 0x9e3779b1) ^ Math.imul(value, 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 15) ^ extra, 0xc2b2ae35)
    this.hashA ^= x ^ (x >>> 13)
    let y = (Math.imul(at, 0x27d4eb2f) + Math.imul(value, 0x165667b1)) | 0
    y = Math.imul((y ^ (y >>> 16)) + extra, 0x297a2d39)
    this.hashB ^= y ^ (y >>> 15)
  }
}
