/**
 * The Pinhole picture codec.
 *
 * <p>Load a {@link pinhole.Model} once, then use an {@link pinhole.Encoder}, a {@link pinhole.StreamEncoder} or a
 * {@link pinhole.Decoder}. Failures are {@link pinhole.PinholeException}s with an {@link pinhole.ErrorCode}.
 *
 * <p>Threads: every method may be called from any thread at any time. Calls on one encoder or decoder run one after
 * the other, so use one for each thread to encode in parallel; they share their model's memory. Closing while a call
 * runs is safe: the call finishes first.
 *
 * <p>Arguments that are null are {@link java.lang.NullPointerException}s, closed objects are
 * {@link java.lang.IllegalStateException}s.
 */
package pinhole;
