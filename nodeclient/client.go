// Package nodeclient speaks HTTP to Meilisearch nodes. It knows nothing of
// shards or actors: a request goes to one address and an answer comes back.
package nodeclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Body is a request body that can be sent more than once.
type Body interface {
	// Open returns the bytes from the beginning.
	Open() io.Reader
	// Len is the number of bytes that Open's reader yields.
	Len() int64
}

// Request is one call to a node.
type Request struct {
	Method      string
	Path        string // escaped, with query, beginning with a slash
	ContentType string // of the body
	Body        []byte // nil for none
	Stream      Body   // instead of Body, for large ones
	// Idempotent requests are sent again once when a pooled connection turns
	// out to be closed. Set it on every read.
	Idempotent bool
}

// Response is what a node answered, whatever its status.
type Response struct {
	Status int
	Body   []byte
}

// OK reports a 2xx status.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Client calls nodes. It is safe for concurrent use.
type Client interface {
	// Do sends r to the node at address (scheme, host and port) and reads the
	// whole answer. Errors are *Error.
	Do(ctx context.Context, address string, r *Request) (*Response, error)
	// Close drops idle connections.
	Close()
}

// Error is a call that got no answer.
type Error struct {
	Method, Path string
	// Sent is false only when the request surely did not reach the node.
	Sent bool
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Method, e.Path, e.Err) }

// Unwrap gives the reason.
func (e *Error) Unwrap() error { return e.Err }

// Options tune an HTTP client. The zero value is what Miroir uses.
type Options struct {
	// Key is sent as bearer token when not empty.
	Key string
	// MaxIdlePerNode caps idle connections to one node; 256 when zero.
	MaxIdlePerNode int
	// DialTimeout is 2 s when zero.
	DialTimeout time.Duration
	// MaxAnswer caps the bytes of one answer; 1 GiB when zero.
	MaxAnswer int64
	// Transport replaces the network, for embedded nodes without sockets.
	Transport http.RoundTripper
}

// ErrAnswerTooLarge says that a node's answer went over Options.MaxAnswer.
var ErrAnswerTooLarge = errors.New("the answer of the node is too large")

// New makes a client on net/http with pooled connections.
func New(o Options) Client {
	if o.MaxIdlePerNode == 0 {
		o.MaxIdlePerNode = 256
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 2 * time.Second
	}
	if o.MaxAnswer == 0 {
		o.MaxAnswer = 1 << 30
	}
	rt := o.Transport
	if rt == nil {
		rt = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: o.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
			MaxIdleConnsPerHost: o.MaxIdlePerNode,
			IdleConnTimeout:     90 * time.Second,
			TLSHandshakeTimeout: 5 * time.Second,
			DisableCompression:  true,
			ReadBufferSize:      16 << 10,
			WriteBufferSize:     16 << 10,
		}
	}
	plain := http.Header{"User-Agent": {"miroir"}}
	if o.Key != "" {
		plain["Authorization"] = []string{"Bearer " + o.Key}
	}
	// An empty, present Idempotency-Key tells net/http that the request may be
	// sent again; it is not written to the wire.
	again := plain.Clone()
	again["Idempotency-Key"] = []string{}
	return &client{rt: rt, maxAnswer: o.MaxAnswer, headers: map[bool]http.Header{false: plain, true: again}}
}

type client struct {
	rt        http.RoundTripper
	headers   map[bool]http.Header // by Request.Idempotent; shared, never changed
	maxAnswer int64
}

func (c *client) Close() {
	if t, ok := c.rt.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

func (c *client) Do(ctx context.Context, address string, r *Request) (*Response, error) {
	req, err := c.newRequest(ctx, address, r)
	if err != nil {
		return nil, &Error{Method: r.Method, Path: r.Path, Err: err}
	}
	resp, err := c.rt.RoundTrip(req) //nolint:bodyclose // readAll closes it
	if err != nil {
		return nil, &Error{Method: r.Method, Path: r.Path, Sent: mayHaveArrived(err), Err: err}
	}
	body, err := readAll(resp, c.maxAnswer)
	if err != nil {
		return nil, &Error{Method: r.Method, Path: r.Path, Sent: true, Err: err}
	}
	return &Response{Status: resp.StatusCode, Body: body}, nil
}

func (c *client) newRequest(ctx context.Context, address string, r *Request) (*http.Request, error) {
	var body io.Reader
	length := int64(0)
	switch {
	case r.Stream != nil:
		body, length = r.Stream.Open(), r.Stream.Len()
	case r.Body != nil:
		body, length = newBytesReader(r.Body), int64(len(r.Body))
	}
	if length == 0 {
		body = nil // or net/http would send it in pieces
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address+r.Path, body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	req.ContentLength = length
	req.Header = c.headers[r.Idempotent]
	if r.ContentType != "" {
		h := make(http.Header, len(req.Header)+1)
		for k, v := range req.Header {
			h[k] = v
		}
		h["Content-Type"] = []string{r.ContentType}
		req.Header = h
	}
	if r.Idempotent && r.Body != nil {
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(newBytesReader(r.Body)), nil }
	}
	return req, nil
}

func newBytesReader(b []byte) io.Reader { return &bytesReader{b} }

// bytesReader hides everything but Read, so that net/http keeps no second copy
// and never replays a body behind our back.
type bytesReader struct{ rest []byte }

func (r *bytesReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func readAll(resp *http.Response, limit int64) (b []byte, err error) {
	defer func() { _ = resp.Body.Close() }() // the answer is read or given up
	if resp.ContentLength > limit {
		return nil, ErrAnswerTooLarge
	}
	if resp.ContentLength >= 0 {
		b = make([]byte, resp.ContentLength)
		if _, err = io.ReadFull(resp.Body, b); err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		_, _ = resp.Body.Read(make([]byte, 1)) // sees the end, so that the connection is kept
		return b, nil
	}
	b, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, ErrAnswerTooLarge
	}
	return b, nil
}

// mayHaveArrived is false for errors that happen before a connection exists.
func mayHaveArrived(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	var dns *net.DNSError
	return !errors.As(err, &dns) && !errors.Is(err, syscall.ECONNREFUSED)
}
