package embedded

import (
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/miroir-search/miroir/api"
)

// route is one entry of the API. Segments of a path that begin with a colon are parameters.
type route struct {
	method, path string
	// action is what a key must allow; empty for routes that are open to everybody.
	action string
	handle func(r *request) (*reply, *api.Error)
	parts  []string
}

// reply is an answer that is no error.
type reply struct {
	status int
	// body is encoded as JSON, unless raw is set. Neither: no body.
	body any
	raw  []byte
	// contentType of raw; JSON when empty.
	contentType string
	// stream writes an answer that has no end yet; nothing else is used then.
	stream func(w http.ResponseWriter, r *http.Request)
}

func ok(body any) (*reply, *api.Error) { return &reply{status: http.StatusOK, body: body}, nil }

func accepted(t *api.Task, err *api.Error) (*reply, *api.Error) {
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusAccepted, body: t.Summary()}, nil
}

// request is what a handler works with.
type request struct {
	*http.Request
	core   *core
	params map[string]string
	access access
	body   []byte
}

// index is the index uid of the path, checked.
func (r *request) index() (string, *api.Error) {
	uid := r.params["index"]
	return uid, api.CheckIndexUID(uid)
}

func buildRoutes() []route {
	all := append(searchRoutes(), documentRoutes()...)
	all = append(all, indexRoutes()...)
	all = append(all, settingsRoutes()...)
	all = append(all, taskRoutes()...)
	all = append(all, keyRoutes()...)
	all = append(all, miscRoutes()...)
	all = append(all, webhookRoutes()...)
	all = append(all, chatRoutes()...)
	all = append(all, networkRoutes()...)
	all = append(all, ruleRoutes()...)
	all = append(all, instanceRoutes()...)
	for i := range all {
		all[i].parts = strings.Split(strings.Trim(all[i].path, "/"), "/")
	}
	return all
}

// ServeHTTP answers one request. Whatever happens inside, the client gets an answer.
func (c *core) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // a panic value, never wrapped
			panic(p)
		}
		c.opt.Logger.WithField("stack", string(debug.Stack())).Errorf("panic in %s %s: %v", r.Method, r.URL.Path, p)
		c.writeError(w, r, api.Internal("An internal error has occurred."))
	}()
	setCORS(w, r)
	match, params, known := c.find(r)
	switch {
	case match == nil && r.Method == http.MethodOptions:
		c.writeStatus(w, r, http.StatusOK)
		return
	case match == nil && known:
		c.writeStatus(w, r, http.StatusMethodNotAllowed)
		return
	case match == nil:
		c.writeStatus(w, r, http.StatusNotFound)
		return
	}
	req := &request{Request: r, core: c, params: params}
	if match.action != "" {
		a, err := c.authorize(r, match.action, params["index"])
		if err != nil {
			c.writeError(w, r, err)
			return
		}
		req.access = a
	}
	out, err := match.handle(req)
	if err != nil {
		c.writeError(w, r, err)
		return
	}
	c.writeReply(w, r, out)
}

// find looks for the route of a request; known tells that the path exists with another method.
func (c *core) find(r *http.Request) (match *route, params map[string]string, known bool) {
	parts := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	for i := range parts {
		if p, err := url.PathUnescape(parts[i]); err == nil {
			parts[i] = p
		}
	}
	method := r.Method
	for i := range c.routes {
		rt := &c.routes[i]
		if !fits(rt.parts, parts) {
			continue
		}
		known = true
		if rt.method == method {
			params = make(map[string]string, 2)
			for j, p := range rt.parts {
				if strings.HasPrefix(p, ":") {
					params[p[1:]] = parts[j]
				}
			}
			return rt, params, true
		}
	}
	return nil, nil, known
}

func fits(pattern, parts []string) bool {
	if len(pattern) != len(parts) {
		return false
	}
	for i, p := range pattern {
		if p != parts[i] && !strings.HasPrefix(p, ":") {
			return false
		}
	}
	return true
}

func setCORS(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	if r.Method == http.MethodOptions {
		h.Set("Access-Control-Allow-Methods", "*")
		h.Set("Access-Control-Allow-Headers", "*")
		h.Set("Access-Control-Max-Age", "86400")
	}
}

// vary tells caches what answers depend on, as the real server does.
func vary() []string {
	return []string{"Origin, Access-Control-Request-Method, Access-Control-Request-Headers", "Accept-Encoding"}
}

func (c *core) writeReply(w http.ResponseWriter, r *http.Request, out *reply) {
	switch {
	case out.stream != nil:
		out.stream(w, r)
	case out.raw == nil && out.body == nil:
		c.writeStatus(w, r, out.status)
	case out.raw == nil:
		c.writeJSON(w, r, out.status, out.body)
	case out.contentType == "":
		c.write(w, r, out.status, api.ContentTypeJSON, out.raw)
	default:
		c.write(w, r, out.status, out.contentType, out.raw)
	}
}

func (c *core) writeJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	data, err := api.Marshal(body)
	if err != nil {
		status = http.StatusInternalServerError
		data, _ = api.Marshal(api.Internal(err.Error()))
	}
	c.write(w, r, status, api.ContentTypeJSON, data)
}

func (c *core) writeError(w http.ResponseWriter, r *http.Request, e *api.Error) {
	if e.Status() == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	c.writeJSON(w, r, e.Status(), e)
}

// writeStatus answers without a body.
func (c *core) writeStatus(w http.ResponseWriter, r *http.Request, status int) {
	w.WriteHeader(status)
	c.logs.write(c, r.Method, r.URL.Path, status)
}

// write sends a whole answer, in the coding that the client asked for.
func (c *core) write(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	encoded, release := c.compressor.Encode(w.Header(), r.Header, body)
	defer release()
	w.WriteHeader(status)
	// a client that has left cannot be told
	_, _ = w.Write(encoded) //nolint:gosec // of a content type that browsers do not run
	c.logs.write(c, r.Method, r.URL.Path, status)
}
