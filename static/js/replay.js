/** The populations that a search's page can show again: few enough for a tab, however long the search. Pure. */

/** @typedef {{points: number[][], count: number}} Population points: [latency in ms, accuracy], thinned; count: of all its networks */

export class Replay {
  /**
   * @param {Record<string, number[][]>} points by generation, as the page has them
   * @param {Record<string, number>} counts of networks by generation
   * @param {{generations: number, points: number}} most kept; the newest generation keeps all its points
   */
  constructor(points, counts, most) {
    this.most = most;
    /** @type {Map<number, Population>} */
    this.populations = new Map(Object.entries(points).map(([name, mine]) => [Number(name), { points: mine, count: counts[name] ?? mine.length }]));
  }

  /** Of the generations kept, in order. */
  get numbers() {
    return [...this.populations.keys()].sort((a, b) => a - b);
  }

  get newest() {
    return Math.max(0, ...this.populations.keys());
  }

  /** @param {number} generation @returns {Population} without points where it is not kept */
  at(generation) {
    return this.populations.get(generation) ?? { points: [], count: 0 };
  }

  /**
   * Takes in a new generation and lets go of what is too much.
   * @param {number} generation
   * @param {number[][]} points
   * @param {number} shown the generation on the chart, which stays
   */
  add(generation, points, shown) {
    for (const population of this.populations.values()) population.points = evenly(population.points, this.most.points);
    this.populations.set(generation, { points, count: points.length });
    this.#letGo(shown);
  }

  /**
   * Takes in generations before the newest; what is here already stays as it is.
   * @param {Record<string, number[][]>} points by generation
   * @param {Record<string, number>} counts of networks by generation
   * @param {number} shown the generation on the chart, which stays
   */
  addEarlier(points, counts, shown) {
    const { newest } = this;
    for (const [name, mine] of Object.entries(points)) {
      const generation = Number(name);
      if (generation < newest && !this.populations.has(generation)) this.populations.set(generation, { points: mine, count: counts[name] ?? mine.length });
    }
    this.#letGo(shown);
  }

  /** @param {number} shown */
  #letGo(shown) {
    while (this.populations.size > this.most.generations) this.populations.delete(this.#closest(shown));
  }

  /** The generation whose neighbours are the closest: without it the others are spread the most evenly. @param {number} shown */
  #closest(shown) {
    const { numbers } = this;
    const gap = (place) => numbers[place + 1] - numbers[place - 1];
    const inner = numbers.map((_, place) => place).slice(1, -1).filter((place) => numbers[place] !== shown);
    return numbers[inner.reduce((best, place) => (gap(place) < gap(best) ? place : best))];
  }
}

/** @param {number[][]} points @param {number} most */
function evenly(points, most) {
  const step = Math.ceil(points.length / most);
  return step <= 1 ? points : points.filter((_, place) => place % step === 0);
}
