/**
 * What a handle shows of itself: one line for `console.log`, a small object for `JSON.stringify`.
 *
 *     HashTable "cities" { size: 1000, chains: 1024 }
 *
 * A handle that a program prints in passing must neither flood the terminal with the whole arena nor
 * end the program: so it never throws, whatever became of the arena, takes no lock, and changes
 * nothing. `toJSON` says what there is to show, and `[INSPECT]` puts that into a line.
 */

/** By this name the consoles of Node, Bun and Deno ask an object for its line. */
export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom')

type Fact = string | number | boolean

/** What is shown of a handle. */
export interface Summary {
  readonly kind: string
  readonly name?: string
  readonly [fact: string]: Fact
}

/** The summary of what still leads somewhere; of what has been closed, or cannot be read, that. */
export function summary(
  kind: string,
  name: string | undefined,
  facts: () => Readonly<Record<string, Fact>> | undefined,
): Summary {
  const head = name === undefined ? { kind } : { kind, name }
  try {
    return { ...head, ...(facts() ?? CLOSED) }
  } catch {
    return { ...head, ...CLOSED }
  }
}

const CLOSED = { closed: true }

export function inOneLine({ kind, name, ...facts }: Summary): string {
  const head = name === undefined ? kind : `${kind} ${JSON.stringify(name)}`
  const said = Object.entries(facts).map(([fact, value]) => `${fact}: ${JSON.stringify(value)}`)
  return said.length === 0 ? head : `${head} { ${said.join(', ')} }`
}
