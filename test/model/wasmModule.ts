/**
 * A WebAssembly module, decoded: its functions as lists of instructions, each with its name and the
 * place where its block ends.
 *
 * Made for intrinsics.wat: functions over 32-bit integers and one imported memory. Whatever else a
 * module may have - a section, a type, an instruction - is an error that names it, so nothing of a
 * module can be left out in silence.
 */

/** One instruction. What `a` is depends on its kind: see `OPCODES`. */
export interface Instruction {
  readonly name: string
  /** A number, an index, a depth, the offset of an access, or how many results a block has. */
  readonly a: number
  /** Of a block, a loop, an if, an else: where its `end` is. */
  end: number
  /** Of an if: where its `else` is, or its `end`. */
  other: number
}

export interface WasmFunction {
  readonly name: string
  readonly params: number
  readonly results: number
  readonly locals: number
  readonly code: readonly Instruction[]
}

export interface WasmModule {
  readonly functions: readonly WasmFunction[]
  readonly exports: ReadonlyMap<string, WasmFunction>
}

/** What follows an opcode: nothing, a block's type, an index or depth, an access, a constant. */
type Immediate = 'none' | 'block' | 'index' | 'access' | 'constant'

const OPCODES: ReadonlyMap<number, readonly [name: string, immediate: Immediate]> = new Map([
  [0x00, ['unreachable', 'none']],
  [0x01, ['nop', 'none']],
  [0x02, ['block', 'block']],
  [0x03, ['loop', 'block']],
  [0x04, ['if', 'block']],
  [0x05, ['else', 'none']],
  [0x0b, ['end', 'none']],
  [0x0c, ['br', 'index']],
  [0x0d, ['br_if', 'index']],
  [0x0f, ['return', 'none']],
  [0x10, ['call', 'index']],
  [0x1a, ['drop', 'none']],
  [0x1b, ['select', 'none']],
  [0x20, ['local.get', 'index']],
  [0x21, ['local.set', 'index']],
  [0x22, ['local.tee', 'index']],
  [0x28, ['i32.load', 'access']],
  [0x36, ['i32.store', 'access']],
  [0x3f, ['memory.size', 'index']],
  [0x41, ['i32.const', 'constant']],
  [0x45, ['i32.eqz', 'none']],
  [0x46, ['i32.eq', 'none']],
  [0x47, ['i32.ne', 'none']],
  [0x48, ['i32.lt_s', 'none']],
  [0x49, ['i32.lt_u', 'none']],
  [0x4a, ['i32.gt_s', 'none']],
  [0x4b, ['i32.gt_u', 'none']],
  [0x4c, ['i32.le_s', 'none']],
  [0x4d, ['i32.le_u', 'none']],
  [0x4e, ['i32.ge_s', 'none']],
  [0x4f, ['i32.ge_u', 'none']],
  [0x67, ['i32.clz', 'none']],
  [0x6a, ['i32.add', 'none']],
  [0x6b, ['i32.sub', 'none']],
  [0x6c, ['i32.mul', 'none']],
  [0x71, ['i32.and', 'none']],
  [0x72, ['i32.or', 'none']],
  [0x73, ['i32.xor', 'none']],
  [0x74, ['i32.shl', 'none']],
  [0x75, ['i32.shr_s', 'none']],
  [0x76, ['i32.shr_u', 'none']],
  [0xfe10, ['i32.atomic.load', 'access']],
  [0xfe17, ['i32.atomic.store', 'access']],
  [0xfe1e, ['i32.atomic.rmw.add', 'access']],
  [0xfe2c, ['i32.atomic.rmw.and', 'access']],
  [0xfe33, ['i32.atomic.rmw.or', 'access']],
  [0xfe41, ['i32.atomic.rmw.xchg', 'access']],
  [0xfe48, ['i32.atomic.rmw.cmpxchg', 'access']],
])

const BYTE_BITS = 8
const ATOMIC_PREFIX = 0xfe
const I32 = 0x7f
const NO_RESULT = 0x40
const FUNCTION_TYPE = 0x60
/** Magic and version. */
const HEAD_BYTES = 8
/** Kinds of imports and exports. */
const FUNCTION = 0
const MEMORY = 2

const SECTION = { custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10 } as const

interface Signature {
  readonly params: number
  readonly results: number
}

/** Decodes the module. Throws for what a player would have to know and does not. */
export function decodeWasm(binary: Uint8Array): WasmModule {
  const bytes = new Bytes(binary, HEAD_BYTES)
  const types: Signature[] = []
  let signatures: readonly Signature[] = []
  const names = new Map<number, string[]>()
  let bodies: readonly Body[] = []
  while (!bytes.atEnd) {
    const section = bytes.byte()
    const length = bytes.unsigned()
    if (section === SECTION.custom) bytes.skip(length)
    else if (section === SECTION.type) types.push(...bytes.vector(signature))
    else if (section === SECTION.import) bytes.vector(importedMemory)
    else if (section === SECTION.function) {
      signatures = bytes.vector((from) => types[from.unsigned()] as Signature)
    } else if (section === SECTION.export) {
      for (const { name, index } of bytes.vector(exported)) {
        names.set(index, [...(names.get(index) ?? []), name])
      }
    } else if (section === SECTION.code) bodies = bytes.vector(body)
    else throw new Error(`wasm: section ${section} is not known here`)
  }
  const functions = bodies.map(({ locals, code }, i) => {
    const { params, results } = signatures[i] as Signature
    const name = names.get(i)?.join() ?? `function ${i}`
    return { name, params, results, locals, code: instructions(name, code) }
  })
  const exports = new Map<string, WasmFunction>()
  for (const [index, all] of names) {
    for (const name of all) exports.set(name, functions[index] as WasmFunction)
  }
  return { functions, exports }
}

// ---- sections --------------------------------------------------------------------------------

interface Body {
  readonly locals: number
  readonly code: Bytes
}

function signature(bytes: Bytes): Signature {
  bytes.expect(FUNCTION_TYPE, 'a type that is no function')
  const params = bytes.vector(word).length
  const results = bytes.vector(word).length
  return { params, results }
}

function word(bytes: Bytes): void {
  bytes.expect(I32, 'a type of a value')
}

function importedMemory(bytes: Bytes): void {
  const name = `${bytes.text()}.${bytes.text()}`
  bytes.expect(MEMORY, `import ${name}, of a kind`)
  const hasMost = (bytes.byte() & 1) !== 0
  bytes.unsigned()
  if (hasMost) bytes.unsigned()
}

function exported(bytes: Bytes): { name: string; index: number } {
  const name = bytes.text()
  bytes.expect(FUNCTION, `export ${name}, of a kind`)
  return { name, index: bytes.unsigned() }
}

function body(bytes: Bytes): Body {
  const code = bytes.part(bytes.unsigned())
  let locals = 0
  for (let groups = code.unsigned(); groups > 0; groups--) {
    locals += code.unsigned()
    word(code)
  }
  return { locals, code }
}

// ---- instructions ----------------------------------------------------------------------------

function instructions(name: string, bytes: Bytes): Instruction[] {
  const code: Instruction[] = []
  const open: Instruction[] = []
  while (!bytes.atEnd) {
    const one = instruction(name, bytes)
    const inner = open.at(-1)
    if (one.name === 'end') {
      // The last one ends the function itself.
      if (inner !== undefined) close(open, code.length)
    } else if (one.name === 'else') {
      if (inner?.name !== 'if') throw new Error(`wasm: ${name}: an else without its if`)
      inner.other = code.length
    } else if (['block', 'loop', 'if'].includes(one.name)) open.push(one)
    code.push(one)
  }
  if (open.length > 0) throw new Error(`wasm: ${name}: a block does not end`)
  // An else is reached when its if was true: then it goes to where that one ends.
  for (const { other, end } of code) {
    const target = code[other]
    if (target?.name === 'else') target.end = end
  }
  return code
}

function close(open: Instruction[], end: number): void {
  const inner = open.pop() as Instruction
  inner.end = end
  if (inner.other < 0) inner.other = end
}

function instruction(where: string, bytes: Bytes): Instruction {
  let opcode = bytes.byte()
  if (opcode === ATOMIC_PREFIX) opcode = (opcode << BYTE_BITS) | bytes.byte()
  const known = OPCODES.get(opcode)
  if (known === undefined) {
    throw new Error(`wasm: ${where}: opcode 0x${opcode.toString(16)} is not known here`)
  }
  const [name, immediate] = known
  return { name, a: immediateOf(immediate, bytes), end: -1, other: -1 }
}

function immediateOf(kind: Immediate, bytes: Bytes): number {
  switch (kind) {
    case 'none':
      return 0
    case 'block':
      return bytes.expect(NO_RESULT, 'a type of a block', I32) === I32 ? 1 : 0
    case 'index':
      return bytes.unsigned()
    case 'access':
      // The alignment is a hint, and has none to give.
      bytes.unsigned()
      return bytes.unsigned()
    case 'constant':
      return bytes.signed()
  }
}

// ---- bytes -----------------------------------------------------------------------------------

const PAYLOAD_BITS = 7
const PAYLOAD = 0x7f
const MORE = 0x80
const SIGN = 0x40
const WORD_BITS = 32

class Bytes {
  private readonly all: Uint8Array
  private at: number

  constructor(all: Uint8Array, at = 0) {
    this.all = all
    this.at = at
  }

  get atEnd(): boolean {
    return this.at >= this.all.length
  }

  byte(): number {
    const byte = this.all[this.at++]
    if (byte === undefined) throw new Error('wasm: the module ends too early')
    return byte
  }

  skip(length: number): void {
    this.at += length
  }

  part(length: number): Bytes {
    const from = this.at
    this.at += length
    return new Bytes(this.all.subarray(from, this.at))
  }

  /** A byte that must be one of these. */
  expect(wanted: number, what: string, other: number = wanted): number {
    const byte = this.byte()
    if (byte === wanted || byte === other) return byte
    throw new Error(`wasm: ${what}, 0x${byte.toString(16)}, is not known here`)
  }

  /** LEB128. */
  unsigned(): number {
    let value = 0
    for (let shift = 0; ; shift += PAYLOAD_BITS) {
      const byte = this.byte()
      value |= (byte & PAYLOAD) << shift
      if ((byte & MORE) === 0) return value >>> 0
    }
  }

  /** The same with a sign. */
  signed(): number {
    let value = 0
    for (let shift = 0; ; ) {
      const byte = this.byte()
      value |= (byte & PAYLOAD) << shift
      shift += PAYLOAD_BITS
      if ((byte & MORE) !== 0) continue
      return (byte & SIGN) !== 0 && shift < WORD_BITS ? value | (-1 << shift) : value
    }
  }

  text(): string {
    return String.fromCharCode(...this.vector((bytes) => bytes.byte()))
  }

  vector<T>(one: (bytes: Bytes) => T): T[] {
    return Array.from({ length: this.unsigned() }, () => one(this))
  }
}
