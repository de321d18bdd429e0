package http

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// errNoAnswer is a door that broke its promise.
var errNoAnswer = errors.New("no answer from the cluster")

// coded is an error that knows its Meilisearch code, as those of payload do.
type coded interface {
	error
	ErrorCode() string
}

// asAPI finds the error body for any error. ours is true when the fault is in
// Miroir, so that it should be logged.
func asAPI(err error) (e *api.Error, ours bool) {
	if errors.As(err, &e) {
		return e, e.Status() == http.StatusInternalServerError
	}
	var code coded
	switch {
	case errors.As(err, &code):
		return api.NewError(code.ErrorCode(), code.Error()), false
	case errors.Is(err, store.ErrUnavailable):
		return api.NewError(api.CodeStoreUnavailable, "The store of Miroir cannot be used at the moment. Nothing was changed; try again later."), true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return api.NewError(api.CodeShardUnavailable, "The request ended before an answer was there."), false
	default:
		return api.Internal("An internal error has occurred. The request id tells Miroir's operator where to look."), true
	}
}

// statusError is an error under another status than that of its code.
type statusError struct {
	body   *api.Error
	status int
}

// Error returns the message.
func (e *statusError) Error() string { return e.body.Error() }

// Unwrap gives the error body.
func (e *statusError) Unwrap() error { return e.body }

// notSupported is the answer to what Miroir does not do; the text says what to
// do instead.
func notSupported(text string) *api.Error { return api.NewError(api.CodeNotSupported, text) }

// fail answers with an error.
func (c *call) fail(err error) {
	e, ours := asAPI(err)
	e = c.notOffered(e)
	if ours {
		c.s.log.WithFields(logrus.Fields{"request_id": c.id, "route": c.route.path, "error": err.Error()}).Error("request failed")
	}
	status := e.Status()
	var other *statusError
	if errors.As(err, &other) {
		status = other.status
	}
	c.sendError(status, e)
}

func (c *call) sendError(code int, e *api.Error) {
	if c.written {
		return
	}
	if code == http.StatusServiceUnavailable {
		c.header()["Retry-After"] = []string{retryAfter(e.Code)}
	}
	body, err := api.Marshal(e)
	if err != nil { // four strings always encode
		body = []byte(`{}`)
	}
	_ = c.bytes(code, body) // bytes reports write errors itself
}

// retryAfter is in seconds. Meilisearch says 10; an overload passes sooner.
func retryAfter(code string) string {
	if code == api.CodeOverloaded {
		return "1"
	}
	return "10"
}

// sendEmpty answers without a body, as Meilisearch does for unknown routes and
// methods.
func (c *call) sendEmpty(status int) {
	if !c.written {
		_ = c.send(status, nil, nil) // send reports write errors itself
	}
}

// recovered turns a panic of a handler into a 500.
func (c *call) recovered(reason any) {
	c.s.metrics.panics.Inc()
	c.s.log.WithFields(logrus.Fields{"request_id": c.id, "route": c.route.path, "panic": reason, "stack": string(debug.Stack())}).
		Error("handler panicked")
	c.sendError(http.StatusInternalServerError, api.Internal("An internal error has occurred. The request id tells Miroir's operator where to look."))
}
