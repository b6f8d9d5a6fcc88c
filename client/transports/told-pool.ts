/**
 * A pool of connections whose requests end with their signal also while they wait for a connection, which undici's own do
 * not, and that tells when it begins to send one. What was never sent says nothing of its server and costs nothing.
 */
import { DecoratorHandler, type Dispatcher, type Pool } from "undici";

export interface ToldRequest extends Dispatcher.RequestOptions {
  readonly signal: AbortSignal;
  /** Called at most once, when a connection takes the request. */
  readonly onSent: () => void;
}

export interface ToldPool {
  readonly pool: Pool;
  /** Rejects with the signal's reason once that is aborted. A request that was not sent by then never is. */
  readonly request: (options: ToldRequest) => Promise<Dispatcher.ResponseData>;
}

/** @param pool is closed by its owner */
export function toldPool(pool: Pool): ToldPool {
  const telling = pool.compose((dispatch) => (options, handler) => {
    const { onSent } = options as Partial<ToldRequest>;
    // It gives handlers of both of undici's interfaces the newer one, which its type does not say.
    const inner = new DecoratorHandler(handler) as Dispatcher.DispatchHandler;
    return dispatch(options, {
      onRequestStart: (controller, context) => {
        inner.onRequestStart?.(controller, context);
        if (!controller.aborted) onSent?.();
      },
      onRequestUpgrade: (...upgrade) => inner.onRequestUpgrade?.(...upgrade),
      onResponseStart: (...response) => inner.onResponseStart?.(...response),
      onResponseData: (...data) => inner.onResponseData?.(...data),
      onResponseEnd: (...end) => inner.onResponseEnd?.(...end),
      onResponseError: (...error) => inner.onResponseError?.(...error),
    });
  });
  return {
    pool,
    request: (options) =>
      new Promise((resolve, reject) => {
        const { signal } = options;
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
        telling.request(options).then(resolve, reject);
      }),
  };
}
