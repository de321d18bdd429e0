package store

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options say where the store lives and whom it tells. The zero value of every
// field but Dir works.
type Options struct {
	// Dir holds everything; it is made when missing. An ephemeral store makes a
	// temporary directory inside it, or in the system's place when Dir is "".
	Dir string
	// Ephemeral removes everything on Close and does not wait for the disk.
	Ephemeral bool
	// SegmentBytes is the size at which a journal segment is full; 64 MiB when 0.
	// A larger payload still goes into one segment.
	SegmentBytes int64
	// Logger hears of what an operator should know; nil means nobody does.
	Logger Logger
	// Now is the clock for dates that the caller left out; time.Now when nil.
	Now func() time.Time
	// Registerer receives the metrics; nil means none are kept.
	Registerer prometheus.Registerer

	files files // nil: the operating system's
}

// Logger is the part of a logrus entry that the store needs.
type Logger interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
	Errorf(format string, args ...any)
}

const (
	defaultSegmentBytes = 64 << 20
	// lazyDelay is how long a lazy batch waits for company.
	lazyDelay = 50 * time.Millisecond
	// probeInterval is how often a store that cannot write tries again.
	probeInterval = time.Second
)

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" && !o.Ephemeral {
		return o, errors.New("store: no directory is given")
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.Logger == nil {
		o.Logger = silence{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.files == nil {
		o.files = osFiles{durable: !o.Ephemeral}
	}
	return o, nil
}

type silence struct{}

func (silence) Infof(string, ...any)  {}
func (silence) Warnf(string, ...any)  {}
func (silence) Errorf(string, ...any) {}
