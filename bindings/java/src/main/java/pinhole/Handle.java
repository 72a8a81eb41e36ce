package pinhole;

import java.lang.ref.Cleaner;
import java.util.function.LongConsumer;

/** Owns something of the native library: freed by {@link #close}, or when the object is no longer reachable. */
abstract class Handle implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    private final State state;
    private final Cleaner.Cleanable cleanable;

    /** Takes the number of a handle and what frees it. */
    Handle(long number, LongConsumer free) {
        state = new State(number, free);
        cleanable = CLEANER.register(this, state);
    }

    /**
     * The number. Who passes it to a native method must keep this object reachable until that returns
     * ({@link java.lang.ref.Reference#reachabilityFence}).
     *
     * @throws IllegalStateException if this is closed
     */
    final long number() {
        if (state.closed) {
            throw new IllegalStateException(getClass().getSimpleName() + " is closed");
        }
        return state.number;
    }

    /** Whether {@link #close} was called. */
    public final boolean isClosed() {
        return state.closed;
    }

    /** Frees the native side; a second call does nothing. A call that runs in another thread finishes first. */
    @Override
    public void close() {
        cleanable.clean();
    }

    /** Must not refer to the handle's object, or that would stay reachable. */
    private static final class State implements Runnable {
        private final long number;
        private final LongConsumer free;
        private volatile boolean closed;

        State(long number, LongConsumer free) {
            this.number = number;
            this.free = free;
        }

        @Override
        public void run() {
            closed = true;
            free.accept(number);
        }
    }
}
