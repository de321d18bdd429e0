package store

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics is what the store tells of itself. Without a registry it counts for nobody.
type metrics struct {
	reg       prometheus.Registerer
	all       []prometheus.Collector
	batches   prometheus.Counter
	refused   prometheus.Counter
	failures  prometheus.Counter
	groupTime prometheus.Histogram
	healthy   prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, journalBytes func() int64) (*metrics, error) {
	m := &metrics{
		reg: reg,
		batches: prometheus.NewCounter(prometheus.CounterOpts{Name: "miroir_store_batches_total",
			Help: "Batches written to the store."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "miroir_store_lazy_refused_total",
			Help: "Lazy batches that could not be written because they contradict what is stored."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "miroir_store_failures_total",
			Help: "Transactions that the disk or the database failed."}),
		groupTime: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "miroir_store_commit_seconds",
			Help:    "Time to make one group of batches durable.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
		healthy: prometheus.NewGauge(prometheus.GaugeOpts{Name: "miroir_store_healthy",
			Help: "1 while the store can write."}),
	}
	m.healthy.Set(1)
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "miroir_store_journal_bytes",
		Help: "Size of the journal on disk."}, func() float64 { return float64(journalBytes()) })
	for _, c := range []prometheus.Collector{m.batches, m.refused, m.failures, m.groupTime, m.healthy, size} {
		if reg == nil {
			break
		}
		if err := reg.Register(c); err != nil {
			m.unregister()
			return nil, fmt.Errorf("register metrics: %w", err)
		}
		m.all = append(m.all, c)
	}
	return m, nil
}

func (m *metrics) unregister() {
	for _, c := range m.all {
		m.reg.Unregister(c)
	}
}

func (m *metrics) group(n int, took time.Duration, err error) {
	if err != nil {
		m.failures.Inc()
		return
	}
	m.batches.Add(float64(n))
	m.groupTime.Observe(took.Seconds())
}
