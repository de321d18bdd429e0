package http

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of the front. Labels are bounded: routes are templates, methods and
// status classes are few.
type metrics struct {
	requests   *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	inFlight   prometheus.Gauge
	received   prometheus.Histogram
	sent       prometheus.Histogram
	panics     prometheus.Counter
	overLimit  *prometheus.CounterVec
	clientGone prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, bodies func() float64) *metrics {
	f := promauto.With(reg)
	sizes := prometheus.ExponentialBuckets(256, 8, 7) // 256 B to 64 MiB
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: "miroir_http_request_bytes_held",
		Help: "Bytes of request bodies that are being worked on, in memory and on their way to the journal."}, bodies)
	return &metrics{
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: "miroir_http_requests_total",
			Help: "Requests answered, by method, route template and class of status."}, []string{"method", "route", "status"}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{Name: "miroir_http_request_duration_seconds",
			Help:    "Time from the header of a request to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60}}, []string{"method", "route"}),
		inFlight: f.NewGauge(prometheus.GaugeOpts{Name: "miroir_http_requests_in_flight", Help: "Requests being worked on."}),
		received: f.NewHistogram(prometheus.HistogramOpts{Name: "miroir_http_request_size_bytes",
			Help: "Announced size of request bodies.", Buckets: sizes}),
		sent: f.NewHistogram(prometheus.HistogramOpts{Name: "miroir_http_response_size_bytes",
			Help: "Size of answers as sent.", Buckets: sizes}),
		panics: f.NewCounter(prometheus.CounterOpts{Name: "miroir_http_panics_total", Help: "Handlers that panicked."}),
		overLimit: f.NewCounterVec(prometheus.CounterOpts{Name: "miroir_http_over_limit_total",
			Help: "Requests refused for a limit: body (one too large), bodies (all together), requests (too many at once)."}, []string{"limit"}),
		clientGone: f.NewCounter(prometheus.CounterOpts{Name: "miroir_http_clients_gone_total",
			Help: "Answers that could not be sent because the client had left."}),
	}
}

// routeMetrics are the children of one route. They are made when first needed,
// so that /metrics lists what is used and not what could be.
type routeMetrics struct {
	m            *metrics
	method, path string

	once     sync.Once
	duration prometheus.Observer
	status   [6]atomic.Pointer[prometheus.Counter] // by the first digit of the status
}

func (m *metrics) forRoute(method, path string) *routeMetrics {
	return &routeMetrics{m: m, method: method, path: path}
}

func (r *routeMetrics) observe(status int, took time.Duration) {
	r.once.Do(func() { r.duration = r.m.duration.WithLabelValues(r.method, r.path) })
	r.duration.Observe(took.Seconds())
	class := status / 100
	if class < 1 || class >= len(r.status) {
		class = 5 // a handler that answered nothing
	}
	counter := r.status[class].Load()
	if counter == nil {
		made := r.m.requests.WithLabelValues(r.method, r.path, strconv.Itoa(class)+"xx")
		counter = &made
		r.status[class].Store(counter) // whoever comes second stores the same child
	}
	(*counter).Inc()
}
