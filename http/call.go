package http

import (
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
)

// call is one request on its way through a handler.
type call struct {
	s     *Server
	c     echo.Context
	route *route
	grant *Grant
	id    string // request id

	body     []byte    // as decoded, once it was read
	sum      hash.Hash // of a body that went to the journal, for idempotency keys; else nil
	held     int64     // bytes taken from the budget of bodies
	written  bool
	status   int
	nodes    int
	degraded string
}

func (c *call) ctx() context.Context { return c.c.Request().Context() }

func (c *call) header() http.Header { return c.c.Response().Header() }

// query is the raw query string.
func (c *call) query() string { return c.c.Request().URL.RawQuery }

// param is a part of the path, unescaped.
func (c *call) param(name string) string {
	v := c.c.Param(name)
	if c.c.Request().URL.RawPath != "" { // else the router matched the unescaped path
		if plain, err := url.PathUnescape(v); err == nil {
			v = plain
		}
	}
	return strings.ToValidUTF8(v, "\uFFFD")
}

// indexUID is the index in the path, or the error for one that cannot be.
func (c *call) indexUID() (string, error) {
	uid := c.param("index")
	if err := api.CheckIndexUID(uid); err != nil {
		return "", err
	}
	return uid, nil
}

// writeOptions are what every write carries. metadata may be nil.
func (c *call) writeOptions(metadata *string) (messages.WriteOptions, error) {
	o := messages.WriteOptions{CustomMetadata: metadata, CreateAllowed: c.grant.CreateIndexes}
	key, err := idempotencyKey(c.c.Request().Header["Idempotency-Key"])
	if err != nil {
		return o, err
	}
	if key != "" {
		c.sum = sha256.New()
		o.Idempotency = &messages.Idempotency{Owner: c.grant.Owner, Key: key}
	}
	return o, nil
}

// json answers with a value that is encoded here.
func (c *call) json(status int, v any) error {
	body, err := api.Marshal(v)
	if err != nil {
		return err
	}
	return c.bytes(status, body)
}

// bytes answers with JSON that is ready to be sent.
func (c *call) bytes(status int, body []byte) error {
	return c.send(status, jsonType, body)
}

var jsonType = []string{"application/json"}

// send writes the whole answer, compressed when that helps and the client
// understands it.
func (c *call) send(status int, contentType []string, body []byte) error {
	h := c.header()
	if len(contentType) > 0 {
		h["Content-Type"] = contentType
	}
	encoded, release := c.s.compressor.Encode(h, c.c.Request().Header, body)
	defer release()
	if status != http.StatusNoContent {
		h["Content-Length"] = []string{strconv.Itoa(len(encoded))}
	}
	c.written, c.status = true, status
	c.c.Response().WriteHeader(status)
	if len(encoded) == 0 || c.c.Request().Method == http.MethodHead {
		return nil
	}
	if _, err := c.c.Response().Write(encoded); err != nil {
		c.s.metrics.clientGone.Inc() // the answer is decided; nobody is left to hear of the error
	}
	return nil
}

// ask sends a read to the door and writes its answer.
func (c *call) ask(msg any) error {
	a := c.s.opts.Door.Read(c.ctx(), msg)
	if a == nil {
		return errNoAnswer
	}
	c.took(a)
	if a.Err != nil {
		return a.Err
	}
	if a.Status == http.StatusBadRequest && bytes.Contains(a.Body, []byte("feature_not_enabled")) {
		return answerError(a) // it may be said in other words
	}
	return c.bytes(statusOr(a.Status, http.StatusOK), a.Body)
}

// took notes what an answer cost and lacks.
func (c *call) took(a *messages.Answer) {
	c.nodes += a.Nodes
	c.degrade(a.Degraded)
}

func (c *call) degrade(how string) {
	if how != "" {
		c.degraded = how
		c.header()["X-Miroir-Degraded"] = []string{how}
	}
}

// writeMessage is a struct of messages that changes something.
type writeMessage interface {
	Options() *messages.WriteOptions
}

// change sends a write to the door and writes the summarized task.
func (c *call) change(msg writeMessage) error { return c.changeWith(http.StatusAccepted, msg) }

func (c *call) changeWith(status int, msg writeMessage) error {
	if i := msg.Options().Idempotency; i != nil {
		i.Request = c.fingerprint()
	}
	t := c.s.opts.Door.Write(c.ctx(), msg)
	if t == nil {
		return errNoAnswer
	}
	c.degrade(t.Degraded)
	if t.Err != nil {
		return t.Err
	}
	return c.json(status, t.Task)
}

func statusOr(status, fallback int) int {
	if status == 0 {
		return fallback
	}
	return status
}
