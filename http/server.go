package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/coding"
)

// Options of a Server. Door is required, everything else has a default.
type Options struct {
	Door Door
	// Addr is where the API listens; "127.0.0.1:7700" when empty.
	Addr string
	// MetricsAddr is where /metrics and /ready listen without a token; empty:
	// nowhere.
	MetricsAddr string
	// TLS turns on HTTPS for the API.
	TLS *tls.Config
	// Keys are the API keys that the routes of keys change, and let requests in
	// unless Authorizer does; nil: every route is open.
	Keys *Keys
	// Authorizer lets requests in, in the place of Keys.
	Authorizer Authorizer
	// Webhooks keeps the webhooks of clients; nil: they are refused.
	Webhooks Webhooks
	// Nodes adds the routes that stop and start nodes of a development fleet.
	Nodes NodeSwitch

	// Logger gets one line for every request (when LogRequests) and for every
	// fault of ours; nil: silence.
	Logger      *logrus.Logger
	LogRequests bool
	// Registry gets the metrics and is what /metrics shows; nil: a new one.
	Registry *prometheus.Registry

	// MaxBody is the largest request body in decoded bytes, 100 MB when 0.
	MaxBody int64
	// MaxBodies bounds the bytes of all bodies being worked on, 1 GiB when 0. A
	// request waits MaxWait for its part.
	MaxBodies int64
	// MaxQueries bounds the queries of one multi-search, 10,000 when 0; MaxConditions
	// the conditions of one filter, 4,000 when 0.
	MaxQueries, MaxConditions int
	// MaxConcurrent bounds the requests worked on at once, 1024 when 0; MaxWait
	// is how long one waits for its place, 1 s when 0.
	MaxConcurrent int
	MaxWait       time.Duration
	// CompressFrom is the size above which answers are made smaller, 1 KiB when 0;
	// negative: never.
	CompressFrom int

	// Time-outs and limits of net/http; 10 s, 5 min, 5 min, 2 min and 128 KiB
	// when 0.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	MaxHeaderBytes                                            int
}

func (o Options) withDefaults() Options {
	orDefault(&o.Addr, "127.0.0.1:7700")
	orDefault(&o.MaxBody, 100_000_000)
	orDefault(&o.MaxBodies, 1<<30)
	orDefault(&o.MaxQueries, 10_000)
	orDefault(&o.MaxConditions, 4_000)
	orDefault(&o.MaxConcurrent, 1024)
	orDefault(&o.MaxWait, time.Second)
	orDefault(&o.CompressFrom, 1024)
	orDefault(&o.ReadHeaderTimeout, 10*time.Second)
	orDefault(&o.ReadTimeout, 5*time.Minute)
	orDefault(&o.WriteTimeout, 5*time.Minute)
	orDefault(&o.IdleTimeout, 2*time.Minute)
	orDefault(&o.MaxHeaderBytes, 128<<10)
	if o.Keys == nil {
		o.Keys = NewStaticKeys("", "")
	}
	if o.Authorizer == nil {
		o.Authorizer = o.Keys
	}
	if o.Logger == nil {
		o.Logger = logrus.New()
		o.Logger.SetOutput(io.Discard)
		o.Logger.SetLevel(logrus.PanicLevel)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	return o
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Server serves the API and the metrics listener. It is used once: New, Start,
// Shutdown.
type Server struct {
	opts       Options
	log        *logrus.Logger
	metrics    *metrics
	compressor coding.Compressor
	echo       *echo.Echo
	noRoute    *route
	methods    map[string][]string // by path, while routes are added
	places     chan struct{}
	bodies     budget
	draining   atomic.Bool
	featuresMu sync.Mutex // one change of features at a time
	chatsMu    sync.Mutex // one change of chats at a time
	created    time.Time

	api, side     *http.Server
	apiLn, sideLn net.Listener
	running       sync.WaitGroup
	failedMu      sync.Mutex
	failed        error
	failedOnce    sync.Once
	stopped       chan struct{}
}

// New builds a server; nothing listens yet.
func New(o Options) *Server {
	s := &Server{opts: o.withDefaults(), stopped: make(chan struct{}), created: time.Now()}
	s.log = s.opts.Logger
	s.bodies.limit = s.opts.MaxBodies
	s.metrics = newMetrics(s.opts.Registry, func() float64 { return float64(s.bodies.Load()) })
	s.compressor.Min, s.compressor.Vary = s.opts.CompressFrom, varyBoth
	s.places = make(chan struct{}, s.opts.MaxConcurrent)
	s.methods = map[string][]string{}
	s.echo = echo.New()
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.HTTPErrorHandler = s.unrouted
	s.noRoute = &route{path: "unknown", metrics: s.metrics.forRoute("any", "unknown")}
	s.routes()
	return s
}

// ServeHTTP serves the API without a listener, for programs that have their own.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if preflight(w, r) {
		return
	}
	normalize(r)
	if r.Method != http.MethodHead && !slices.Contains(apiMethods, r.Method) {
		r.Method = otherMethod
	}
	s.echo.ServeHTTP(w, r)
}

// Start binds the listeners and serves in the background. An address in use is
// an error that names it.
func (s *Server) Start() error {
	var err error
	if s.apiLn, err = listen(s.opts.Addr); err != nil {
		return fmt.Errorf("listen for the API (--http-addr chooses another address): %w", err)
	}
	s.api = s.newServer(s)
	s.api.TLSConfig = s.opts.TLS
	if s.opts.MetricsAddr != "" {
		if s.sideLn, err = listen(s.opts.MetricsAddr); err != nil {
			return errors.Join(fmt.Errorf("listen for metrics (choose another --metrics-addr, or none with --metrics-addr=): %w", err), s.apiLn.Close())
		}
		s.side = s.newServer(s.sideRoutes())
		s.serveOn(s.side, s.sideLn)
	}
	s.serveOn(s.api, s.apiLn)
	return nil
}

func listen(addr string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
}

func (s *Server) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, DisableGeneralOptionsHandler: true, ReadHeaderTimeout: s.opts.ReadHeaderTimeout, ReadTimeout: s.opts.ReadTimeout,
		WriteTimeout: s.opts.WriteTimeout, IdleTimeout: s.opts.IdleTimeout, MaxHeaderBytes: s.opts.MaxHeaderBytes,
		ErrorLog: stdlog.New(debugWriter{s.log}, "", 0),
	}
}

// debugWriter takes what net/http has to say about broken connections and
// handshakes: noise that any client can make.
type debugWriter struct{ log *logrus.Logger }

func (w debugWriter) Write(p []byte) (int, error) {
	w.log.WithField("source", "net/http").Debug(string(p))
	return len(p), nil
}

func (s *Server) serveOn(srv *http.Server, ln net.Listener) {
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		serve := srv.Serve
		if srv.TLSConfig != nil {
			serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
		}
		if err := serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.failedOnce.Do(func() {
				s.failedMu.Lock()
				s.failed = fmt.Errorf("serve on %s: %w", ln.Addr(), err)
				s.failedMu.Unlock()
				close(s.stopped)
			})
		}
	}()
}

// Failed is closed when a listener broke down by itself; Err says why.
func (s *Server) Failed() <-chan struct{} { return s.stopped }

// Err is why a listener broke down, or nil.
func (s *Server) Err() error {
	s.failedMu.Lock()
	defer s.failedMu.Unlock()
	return s.failed
}

// Addr is the address the API listens on, once started.
func (s *Server) Addr() string { return addrOf(s.apiLn) }

// MetricsAddr is the address of the metrics listener, or empty.
func (s *Server) MetricsAddr() string { return addrOf(s.sideLn) }

func addrOf(ln net.Listener) string {
	if ln == nil {
		return ""
	}
	return ln.Addr().String()
}

// Shutdown turns readiness off, stops accepting requests and waits for those
// that run. When ctx ends first, their connections are cut and its error is
// returned. The metrics listener closes last.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	var problems []error
	for _, srv := range []*http.Server{s.api, s.side} {
		if srv == nil {
			continue
		}
		if err := srv.Shutdown(ctx); err != nil {
			problems = append(problems, fmt.Errorf("wait for running requests: %w", err), srv.Close())
		}
	}
	s.running.Wait()
	return errors.Join(problems...)
}

// sideRoutes are those of the metrics listener: no tokens, nothing of clients.
func (s *Server) sideRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metricsHandler())
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		status, body := s.readiness()
		w.Header().Set("Content-Type", jsonType[0])
		w.WriteHeader(status)
		if _, err := w.Write(body); err != nil {
			s.metrics.clientGone.Inc()
		}
	})
	return mux
}

func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.opts.Registry, promhttp.HandlerOpts{})
}
