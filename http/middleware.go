package http

import (
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/api"
)

// route is one line of the routing table.
type route struct {
	method, path string
	action       Action
	// also is a second action that is needed; ActionPublic: none.
	also Action
	// unlimited routes are answered even when the proxy is full: they are how
	// one finds out why.
	unlimited bool
	serve     func(c *call) error

	metrics *routeMetrics
}

// handler wraps a route with all that every request gets: an id, admission,
// authentication, recovery, one log line and its metrics.
func (s *Server) handler(r *route) echo.HandlerFunc {
	r.metrics = s.metrics.forRoute(r.method, r.path)
	return func(ec echo.Context) error {
		if manyParts(ec) {
			return echo.ErrNotFound
		}
		c := &call{s: s, c: ec, route: r}
		start := time.Now()
		s.metrics.inFlight.Inc()
		s.begin(c)
		defer func() {
			if reason := recover(); reason != nil {
				c.recovered(reason)
			}
			c.release()
			s.metrics.inFlight.Dec()
			s.observe(c, time.Since(start))
		}()
		if err := s.serve(c); err != nil {
			c.fail(err)
		}
		return nil
	}
}

// serve lets the request in and runs its handler.
func (s *Server) serve(c *call) error {
	if err := s.authorize(c); err != nil {
		return err
	}
	if !c.route.unlimited {
		if err := s.admit(c.ctx()); err != nil {
			return err
		}
		defer func() { <-s.places }()
	}
	return c.route.serve(c)
}

func (s *Server) authorize(c *call) error {
	if c.route.action == ActionPublic {
		c.grant = everything
		return nil
	}
	cred, err := credentials(c.c.Request().Header["Authorization"])
	if err != nil {
		return err
	}
	grant, err := s.opts.Authorizer.Authorize(cred, Access{Action: c.route.action, IndexUID: c.param("index")})
	if err == nil && c.route.also != ActionPublic {
		_, err = s.opts.Authorizer.Authorize(cred, Access{Action: c.route.also, IndexUID: c.param("index")})
	}
	if err != nil {
		return err
	}
	c.grant = grant
	return nil
}

// admit takes one of the places for requests, waiting a bounded time for it.
func (s *Server) admit(ctx context.Context) error {
	select {
	case s.places <- struct{}{}:
		return nil
	default:
	}
	wait := time.NewTimer(s.opts.MaxWait)
	defer wait.Stop()
	select {
	case s.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		s.metrics.overLimit.WithLabelValues("requests").Inc()
		return api.NewError(api.CodeOverloaded, "Too many requests are running at the same time. Retry after 1s.")
	}
}

// begin sets what every answer carries.
func (s *Server) begin(c *call) {
	r, h := c.c.Request(), c.header()
	c.id = requestID(r.Header.Get("X-Request-Id"))
	h["X-Request-Id"] = []string{c.id}
	allowOrigin(r, h)
}

// observe writes metrics and the log line of a request that was answered.
func (s *Server) observe(c *call, took time.Duration) {
	c.route.metrics.observe(c.status, took)
	r := c.c.Request()
	if r.ContentLength > 0 {
		s.metrics.received.Observe(float64(r.ContentLength))
	}
	s.metrics.sent.Observe(float64(c.c.Response().Size))
	if !s.opts.LogRequests || !s.log.IsLevelEnabled(logrus.InfoLevel) {
		return
	}
	fields := logrus.Fields{
		"method": r.Method, "route": c.route.path, "status": c.status, "duration_ms": float64(took.Microseconds()) / 1000,
		"request_id": c.id, "nodes": c.nodes,
	}
	if c.degraded != "" {
		fields["degraded"] = c.degraded
	}
	s.log.WithFields(fields).Info("request")
}

// requestID keeps a client's id that is fit for headers and logs, or makes one.
func requestID(sent string) string {
	ok := sent != "" && len(sent) <= 128
	for i := 0; ok && i < len(sent); i++ {
		b := sent[i]
		ok = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("-_.:+/=", b) >= 0
	}
	if ok {
		return sent
	}
	var raw [8]byte
	n := rand.Uint64() // #nosec G404 -- an id for logs, not a secret
	for i := range raw {
		raw[i] = byte(n >> (8 * i))
	}
	return hex.EncodeToString(raw[:])
}

// The CORS answers: any origin, method and header, as Meilisearch gives them.
var (
	anyOrigin   = []string{"*"}
	corsMethods = []string{"GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS, TRACE, CONNECT"}
	corsMaxAge  = []string{"86400"}
	corsExposed = []string{"X-Miroir-Degraded, X-Request-Id, Retry-After"}
	varyCORS    = []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}
	varyBoth    = []string{varyCORS[0], "Accept-Encoding"}
)

func allowOrigin(r *http.Request, h http.Header) {
	h["Vary"] = varyCORS
	if len(r.Header["Origin"]) > 0 {
		h["Access-Control-Allow-Origin"] = anyOrigin
		h["Access-Control-Expose-Headers"] = corsExposed
	}
}

// preflight answers a CORS preflight request; others are not its business.
func preflight(w http.ResponseWriter, r *http.Request) bool {
	wanted := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || wanted == "" || strings.ContainsFunc(wanted, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) }) {
		return false
	}
	h := w.Header()
	if !slices.Contains(strings.Split(corsMethods[0], ", "), wanted) {
		h["Vary"] = varyCORS
		h["Content-Type"] = nil // as Meilisearch gives it
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte("Requested method is not allowed")) // a client that has left cannot be told
		return true
	}
	h["Access-Control-Allow-Origin"] = anyOrigin
	h["Access-Control-Allow-Methods"] = corsMethods
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h["Access-Control-Allow-Headers"] = []string{asked}
	}
	h["Access-Control-Max-Age"] = corsMaxAge
	h["Vary"] = varyCORS
	h["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusOK)
	return true
}

// normalize trims trailing slashes and joins repeated ones, as Meilisearch does.
func normalize(r *http.Request) {
	clean := func(p string) string {
		if len(p) < 2 || p[len(p)-1] != '/' && !strings.Contains(p, "//") {
			return p
		}
		out := make([]byte, 0, len(p))
		for i := 0; i < len(p); i++ {
			if p[i] != '/' || len(out) == 0 || out[len(out)-1] != '/' {
				out = append(out, p[i])
			}
		}
		if len(out) > 1 && out[len(out)-1] == '/' {
			out = out[:len(out)-1]
		}
		return string(out)
	}
	r.URL.Path = clean(r.URL.Path)
	if r.URL.RawPath != "" {
		r.URL.RawPath = clean(plainLetters(r.URL.RawPath))
	}
}

// plainLetters undoes the escapes of a path that are not needed, so that the router
// sees the same path for all ways to write it.
func plainLetters(raw string) string {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if b, err := hex.DecodeString(raw[i+1 : min(i+3, len(raw))]); raw[i] == '%' && err == nil && len(b) == 1 &&
			(b[0] >= 'a' && b[0] <= 'z' || b[0] >= 'A' && b[0] <= 'Z' || b[0] >= '0' && b[0] <= '9' || strings.IndexByte("-._~", b[0]) >= 0) {
			out = append(out, b[0])
			i += 2
			continue
		}
		out = append(out, raw[i])
	}
	return string(out)
}

// unrouted answers what the router knows no handler for.
func (s *Server) unrouted(err error, ec echo.Context) {
	c := &call{s: s, c: ec, route: s.noRoute}
	start := time.Now()
	s.begin(c)
	status := http.StatusInternalServerError
	var known *echo.HTTPError
	if errors.As(err, &known) {
		status = known.Code
	}
	c.sendEmpty(status)
	s.observe(c, time.Since(start))
}
