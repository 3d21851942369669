/**
 * The syntax of a file of the built library, as a tree of plain nodes (ESTree).
 *
 * Only what the machine-made mutants ask for: a node's parts by name, a walk that knows what
 * encloses a node, the text of a node on one line, and the name of the function around it.
 */

import { parseSync } from 'vite'

export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
}

/** The file's syntax tree. Throws where it is no JavaScript. */
export function parse(file: string, text: string): Node {
  const { program, errors } = parseSync(file, text)
  const [error] = errors
  if (error !== undefined) throw new Error(`${file}: ${error.message}`)
  return program as unknown as Node
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

const fields = (node: Node): Readonly<Record<string, unknown>> =>
  node as unknown as Readonly<Record<string, unknown>>

/** The part of this name, if it is one node. */
export function part(node: Node, name: string): Node | undefined {
  const found = fields(node)[name]
  return isNode(found) ? found : undefined
}

/** The nodes of the list of this name; none where there is no such list. */
export function parts(node: Node, name: string): readonly Node[] {
  const found = fields(node)[name]
  return Array.isArray(found) ? found.filter(isNode) : []
}

/** A field that is a text or a flag, such as an operator. */
export function field(node: Node, name: string): unknown {
  return fields(node)[name]
}

export function nameOf(node: Node | undefined): string | undefined {
  if (node === undefined) return undefined
  const name = field(node, 'name')
  return typeof name === 'string' ? name : undefined
}

export function children(node: Node): readonly Node[] {
  return Object.values(node).flatMap((value: unknown) =>
    isNode(value) ? [value] : Array.isArray(value) ? value.filter(isNode) : [],
  )
}

/** Visits a node and everything in it. `above` is what encloses it, the nearest last. */
export function walk(
  node: Node,
  visit: (node: Node, above: readonly Node[]) => void,
  above: readonly Node[] = [],
): void {
  visit(node, above)
  const inner = [...above, node]
  for (const child of children(node)) walk(child, visit, inner)
}

/** Whether a node, or one in it, is such a node. */
export function some(node: Node, is: (node: Node) => boolean): boolean {
  return is(node) || children(node).some((child) => some(child, is))
}

/** What a function is called where it stands; undefined for a node that is none, or has no name. */
export function functionName(node: Node): string | undefined {
  switch (node.type) {
    case 'FunctionDeclaration':
      return nameOf(part(node, 'id'))
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return nameOf(part(node, 'key'))
    case 'VariableDeclarator': {
      const value = part(node, 'init')
      return value?.type === 'ArrowFunctionExpression' ? nameOf(part(node, 'id')) : undefined
    }
    default:
      return undefined
  }
}

/** `Class.method`, `function`, or `the file` where nothing encloses the node. */
export function enclosing(above: readonly Node[]): string {
  const names = above.flatMap((node) => {
    const name = node.type === 'ClassDeclaration' ? nameOf(part(node, 'id')) : functionName(node)
    return name === undefined ? [] : [name]
  })
  return names.slice(0, 2).join('.') || 'the file'
}

/** The text of a node, on one line and without comments. */
export function oneLine(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1')
    .replace(/\s+/g, ' ')
    .trim()
}
