package http

// route adds one line to the routing table.
func (s *Server) route(method, path string, action Action, serve func(c *call) error) {
	s.add(&route{method: method, path: path, action: action, serve: serve})
}

// free is route for what must be answered however full the proxy is.
func (s *Server) free(method, path string, action Action, serve func(c *call) error) {
	s.add(&route{method: method, path: path, action: action, serve: serve, unlimited: true})
}

func (s *Server) add(r *route) { s.echo.Add(r.method, r.path, s.handler(r)) }

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
	s.unsupportedRoutes()
}
