/**
 * A schedule as a short string, to be printed with a failure and given back to `replay`.
 *
 *   late/kill-b7/throw-a20x3/a12b3Aa2
 *
 * First the rules that differ from the defaults, then the choices: a small letter is a thread (a is
 * the first), a capital is another answer (A is 0: for example "none of the delayed stores is
 * visible yet"), and a number repeats the letter before it. Only moments with more than one possible
 * answer are written down, so a string stays valid while code that runs alone changes.
 */

import { defaults, type Fault, type Kill, type Rules } from './rules.ts'

/** Choices in memory: threads from 0 up, other answers from -1 down. */
export function isData(choice: number): boolean {
  return choice < 0
}

const SMALL_A = 97
const CAPITAL_A = 65
const FLAGS = {
  points: 'plainSteps',
  late: 'delayed',
  stale: 'stale',
  hostile: 'hostile',
  noraces: 'races',
  noblock: 'blocking',
} as const

/** With the thread's number for its name. */
type Indexed<T> = Omit<T, 'thread'> & { readonly thread: number }

export function encode(
  rules: Rules,
  kills: readonly Indexed<Kill>[],
  faults: readonly Indexed<Fault>[],
  choices: readonly number[],
): string {
  const parts: string[] = []
  for (const [flag, rule] of Object.entries(FLAGS)) {
    if (rules[rule as keyof typeof defaults] !== defaults[rule as keyof typeof defaults]) {
      parts.push(flag)
    }
  }
  const { impatience = 0 } = rules
  if (impatience > 0) parts.push(`impatient${impatience}`)
  for (const { thread, afterStep } of kills) {
    parts.push(`kill-${letterOf(thread)}${afterStep}`)
  }
  for (const { thread, afterCalls, kind, calls = 1 } of faults) {
    const times = calls === 1 ? '' : `x${calls}`
    parts.push(`${kind}-${letterOf(thread)}${afterCalls}${times}`)
  }
  parts.push(compress(choices))
  return parts.join('/')
}

function letterOf(thread: number): string {
  return String.fromCharCode(SMALL_A + thread)
}

function compress(choices: readonly number[]): string {
  let text = ''
  for (let i = 0; i < choices.length; ) {
    const choice = choices[i] as number
    let end = i + 1
    while (choices[end] === choice) end++
    const letter = isData(choice) ? CAPITAL_A - 1 - choice : SMALL_A + choice
    text += String.fromCharCode(letter) + (end - i > 1 ? String(end - i) : '')
    i = end
  }
  return text
}

export function decode(
  text: string,
  threads: readonly string[],
): { rules: Rules; choices: readonly number[] } {
  const parts = text.trim().split('/')
  const choices = expand(text, parts.pop() ?? '')
  const rules: { -readonly [K in keyof Rules]: Rules[K] } = {}
  const kill: Kill[] = []
  const fault: Fault[] = []
  for (const part of parts) {
    const impatient = /^impatient(\d+)$/.exec(part)
    const event = /^(kill|throw|cut)-([a-z])(\d+)(?:x(\d+))?$/.exec(part)
    if (event !== null) {
      const [, kind, letter, after, calls] = event
      const thread = threads[(letter as string).charCodeAt(0) - SMALL_A]
      if (thread === undefined) throw new Error(`replay string "${text}": no thread ${letter}`)
      if (kind === 'kill') kill.push({ thread, afterStep: Number(after) })
      else {
        const times = calls === undefined ? {} : { calls: Number(calls) }
        fault.push({ thread, afterCalls: Number(after), kind: kind as Fault['kind'], ...times })
      }
    } else if (impatient !== null) {
      rules.impatience = Number(impatient[1])
    } else if (part in FLAGS) {
      const rule = FLAGS[part as keyof typeof FLAGS]
      rules[rule] = !defaults[rule]
    } else {
      throw new Error(`replay string "${text}": unknown rule "${part}"`)
    }
  }
  return { rules: { ...rules, kill, fault }, choices }
}

function expand(text: string, schedule: string): number[] {
  if (!/^([A-Za-z]\d*)*$/.test(schedule)) {
    throw new Error(`replay string "${text}": "${schedule}" is no schedule`)
  }
  const choices: number[] = []
  for (const [, letter, times] of schedule.matchAll(/([A-Za-z])(\d*)/g)) {
    const code = (letter as string).charCodeAt(0)
    const choice = code >= SMALL_A ? code - SMALL_A : CAPITAL_A - 1 - code
    for (let i = times === '' ? 1 : Number(times); i > 0; i--) choices.push(choice)
  }
  return choices
}
