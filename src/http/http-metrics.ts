import { collectDefaultMetrics, Histogram, type Registry } from 'prom-client';

const NAME = 'http_request_duration_seconds';
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS']);

/** How long HTTP requests take, on the given registry, with the metrics of the process itself. */
export class HttpMetrics {
  private readonly durations: Histogram<'method' | 'route' | 'status'>;

  constructor(registry: Registry) {
    collectDefaultMetrics({ register: registry });
    this.durations = new Histogram({
      name: NAME,
      help: 'Time from the arrival of an HTTP request to the end of its answer, in seconds.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers: [registry],
    });
  }

  /** `route` is a path template; requests that met none share one label, so strangers can't make series. */
  observe(method: string, route: string | undefined, status: number, seconds: number): void {
    this.durations.observe(
      { method: METHODS.has(method) ? method : 'other', route: route ?? 'none', status: String(status) },
      seconds,
    );
  }
}
