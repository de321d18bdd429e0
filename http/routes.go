package http

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// route adds one line to the routing table.
func (s *Server) route(method, path string, action Action, serve func(c *call) error) {
	s.add(&route{method: method, path: path, action: action, serve: serve})
}

// free is route for what must be answered however full the proxy is.
func (s *Server) free(method, path string, action Action, serve func(c *call) error) {
	s.add(&route{method: method, path: path, action: action, serve: serve, unlimited: true})
}

func (s *Server) add(r *route) {
	s.echo.Add(r.method, r.path, s.handler(r))
	s.methods[r.path] = append(s.methods[r.path], r.method)
}

// otherMethod stands for every method that no route has.
const otherMethod = "OTHER"

// apiMethods are the methods that routes have, in the order of the header Allow.
var apiMethods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// refuseMethods answers the methods that a path does not have. The router would look
// for another route that has them: DELETE of /documents/fetch would delete the
// document "fetch".
func (s *Server) refuseMethods() {
	for path, known := range s.methods {
		var allowed []string
		for _, m := range apiMethods {
			if slices.Contains(known, m) {
				allowed = append(allowed, m)
			}
		}
		allow := []string{strings.Join(allowed, ", ")}
		for _, m := range append([]string{http.MethodHead, otherMethod}, apiMethods...) {
			if !slices.Contains(known, m) {
				s.echo.Add(m, path, func(ec echo.Context) error {
					if manyParts(ec) {
						return echo.ErrNotFound
					}
					ec.Response().Header()["Allow"] = allow
					return echo.ErrMethodNotAllowed
				})
			}
		}
	}
}

// manyParts reports whether a parameter at the end of a path is several parts of it:
// the router takes all that is left, and there is no such route.
func manyParts(ec echo.Context) bool {
	values := ec.ParamValues()
	return len(values) > 0 && strings.Contains(values[len(values)-1], "/")
}

func (s *Server) routes() {
	s.instanceRoutes()
	s.indexRoutes()
	s.documentRoutes()
	s.searchRoutes()
	s.settingsRoutes()
	s.taskRoutes()
	s.statsRoutes()
	s.adminRoutes()
	s.backupRoutes()
	s.webhookRoutes()
	s.keyRoutes()
	s.gatedRoutes()
	s.refuseMethods()
}
