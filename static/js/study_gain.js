/** What searching gained over scaling in a study. Pure. */

/**
 * @param {{method: string, limit_ms: number, y: number}[]} points accuracies in percent, at most one a limit and method
 * @returns {{points: number, limits: number} | null} the mean gain in percentage points, over how many limits; null before any has both
 */
export function meanGain(points) {
  const of = (method) => new Map(points.filter((point) => point.method === method).map((point) => [point.limit_ms, point.y]));
  const [searched, scaled] = [of("searched"), of("scaled")];
  const gains = [...searched].filter(([limit]) => scaled.has(limit)).map(([limit, y]) => y - scaled.get(limit));
  return gains.length ? { points: gains.reduce((sum, gain) => sum + gain, 0) / gains.length, limits: gains.length } : null;
}
