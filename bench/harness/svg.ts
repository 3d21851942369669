/**
 * Pictures of figures: points and lines over two axes, as SVG text. No more than these pages need.
 *
 * Colours are readable on white and on black paper alike, and every series has a mark of its own
 * beside its colour.
 */

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
  /** Joined by a line, in the order given. */
  readonly line?: boolean
  /** A text beside each point, on the right unless it is to be on the left. */
  readonly labels?: readonly string[]
  readonly labelsLeft?: boolean
}

export interface Axis {
  readonly title: string
  readonly log?: boolean
  /** The axis begins at 0. */
  readonly zero?: boolean
}

export interface Chart {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  /** One line of small print. */
  readonly note?: string
}

const WIDTH = 760
const HEIGHT = 460
const LEFT = 78
const RIGHT = 190
const TOP = 44
const BOTTOM = 78
const COLOURS = ['#2f7ed8', '#d9571e', '#2a9d5c', '#9b59b6', '#b8860b', '#d6336c', '#5f6b7a']
const INK = '#7a7f87'
const MARK = 4.5

interface Scale {
  readonly ticks: readonly number[]
  at(value: number): number
}

/** The chart as a whole file. */
export function draw(chart: Chart): string {
  const all = chart.series.flatMap((each) => each.points)
  const x = scale(
    all.map(([value]) => value),
    chart.x,
    LEFT,
    WIDTH - RIGHT,
  )
  const y = scale(
    all.map(([, value]) => value),
    chart.y,
    HEIGHT - BOTTOM,
    TOP,
  )
  const parts = [
    text(LEFT, 24, chart.title, 'start', 15, 'font-weight="600"'),
    ...x.ticks.flatMap((tick) => [
      line(x.at(tick), TOP, x.at(tick), HEIGHT - BOTTOM),
      text(x.at(tick), HEIGHT - BOTTOM + 18, short(tick), 'middle'),
    ]),
    ...y.ticks.flatMap((tick) => [
      line(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick)),
      text(LEFT - 8, y.at(tick) + 4, short(tick), 'end'),
    ]),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 38, chart.x.title, 'middle'),
    `<g transform="translate(18 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)">${text(0, 0, chart.y.title, 'middle')}</g>`,
    ...chart.series.map((each, i) => seriesOf(each, i, x, y)),
    ...chart.series.map(({ name }, i) => legend(name, i)),
    ...(chart.note === undefined ? [] : [text(LEFT, HEIGHT - 14, chart.note, 'start', 11)]),
  ]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" role="img">`,
    `<title>${quote(chart.title)}</title>`,
    ...parts.map((part) => `  ${part}`),
    '</svg>',
    '',
  ].join('\n')
}

function seriesOf(series: Series, i: number, x: Scale, y: Scale): string {
  const { points, line: joined, labels, labelsLeft } = series
  const colour = COLOURS[i % COLOURS.length] ?? INK
  const places = points.map(([a, b]) => [x.at(a), y.at(b)] as const)
  const path = places.map(([a, b]) => `${round(a)},${round(b)}`).join(' ')
  const body = [
    ...(joined ? [`<polyline points="${path}" fill="none" stroke-width="1.8"/>`] : []),
    ...places.map(([a, b]) => mark(i, a, b)),
  ]
  const words = places.map(([a, b], n) => {
    const label = labels?.[n]
    return label === undefined
      ? ''
      : text(a + (labelsLeft ? -8 : 9), b + 4, label, labelsLeft ? 'end' : 'start', 12)
  })
  return `<g stroke="${colour}" fill="${colour}" fill-opacity="0.75">${body.join('')}</g>${words.join('')}`
}

/** Round, square, diamond, triangle: the shape tells what the colour tells. */
function mark(i: number, x: number, y: number): string {
  const m = MARK
  switch (i % 4) {
    case 0:
      return `<circle cx="${round(x)}" cy="${round(y)}" r="${m}"/>`
    case 1:
      return `<rect x="${round(x - m)}" y="${round(y - m)}" width="${2 * m}" height="${2 * m}"/>`
    case 2:
      return polygon([x, y - m - 1], [x + m + 1, y], [x, y + m + 1], [x - m - 1, y])
    default:
      return polygon([x, y - m - 1], [x + m + 1, y + m], [x - m - 1, y + m])
  }
}

function polygon(...corners: readonly (readonly [number, number])[]): string {
  return `<polygon points="${corners.map(([a, b]) => `${round(a)},${round(b)}`).join(' ')}"/>`
}

function legend(name: string, i: number): string {
  const y = TOP + 10 + i * 20
  const x = WIDTH - RIGHT + 18
  const colour = COLOURS[i % COLOURS.length] ?? INK
  return `<g stroke="${colour}" fill="${colour}">${mark(i, x, y)}</g>${text(x + 12, y + 4, name)}`
}

function scale(values: readonly number[], axis: Axis, from: number, to: number): Scale {
  const positive = axis.log ? values.filter((value) => value > 0) : values
  const [low, high] = [Math.min(...positive), Math.max(...positive)]
  if (axis.log) {
    const first = Math.floor(Math.log10(low))
    const last = Math.max(first + 1, Math.ceil(Math.log10(high)))
    const ticks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i))
    const at = (value: number): number =>
      from + ((Math.log10(Math.max(value, 10 ** first)) - first) / (last - first)) * (to - from)
    return { ticks, at }
  }
  const bottom = axis.zero ? 0 : low
  const unit = niceStep((high - bottom || 1) / 5)
  const start = Math.floor(bottom / unit) * unit
  const steps = Math.max(1, Math.ceil((high - start) / unit))
  const ticks = Array.from({ length: steps + 1 }, (_, i) => start + i * unit)
  return { ticks, at: (value) => from + ((value - start) / (steps * unit)) * (to - from) }
}

/** 1, 2 or 5 times a power of ten. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return ([1, 2, 5].find((factor) => factor * power >= least) ?? 10) * power
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${INK}" stroke-opacity="0.25"/>`
}

function text(x: number, y: number, words: string, anchor = 'start', size = 12, more = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}" fill="${INK}" ${more}>${quote(words)}</text>`
}

function short(value: number): string {
  if (value >= 1e6) return `${+(value / 1e6).toPrecision(3)} M`
  if (value >= 1e4) return `${+(value / 1e3).toPrecision(3)} k`
  return `${+value.toPrecision(3)}`
}

const round = (value: number): number => Math.round(value * 10) / 10

function quote(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
