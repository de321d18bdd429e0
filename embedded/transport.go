package embedded

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
)

// Transport reaches the node without a socket. All that comes of the answer is there when RoundTrip returns; a cut
// connection or a stopped node is an error, of RoundTrip or of the body, as it is for a socket. The host of requests
// does not matter.
func (n *Node) Transport() http.RoundTripper { return transport{n} }

type transport struct{ node *Node }

// RoundTrip answers one request. When the request's context ends it returns at once, while the node may carry on, as
// a server does whose client has left.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, err := t.node.running(); err != nil {
		return nil, fmt.Errorf("dial embedded node: %w", err)
	}
	in, err := serverRequest(r)
	if err != nil {
		return nil, err
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p == nil {
				done <- nil
			} else if p == http.ErrAbortHandler { //nolint:errorlint // a panic value, never wrapped
				done <- fmt.Errorf("read from embedded node: %w", io.ErrUnexpectedEOF)
			} else {
				t.node.opt.Logger.WithField("stack", string(debug.Stack())).Errorf("panic: %v", p)
				done <- fmt.Errorf("read from embedded node: %w", io.ErrUnexpectedEOF)
			}
		}()
		t.node.Handler().ServeHTTP(rec, in)
	}()
	select {
	case err := <-done:
		if err != nil && !rec.wrote {
			return nil, err
		}
		return rec.result(r, err), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// serverRequest is the request as a server would see it. The body is read here, so that the node never touches the
// client's reader after RoundTrip has returned.
func serverRequest(r *http.Request) (*http.Request, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "embedded"
	in.Body = http.NoBody
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if closeErr := r.Body.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, fmt.Errorf("send to embedded node: %w", err)
		}
		in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return in, nil
}

// recorder keeps an answer until it is complete.
type recorder struct {
	header http.Header
	body   bytes.Buffer
	status int
	wrote  bool
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if !r.wrote {
		r.status, r.wrote = status, true
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	return r.body.Write(b)
}

// result is the answer as a client sees it. A body that was cut ends with err.
func (r *recorder) result(req *http.Request, err error) *http.Response {
	var body io.Reader = bytes.NewReader(r.body.Bytes())
	length := int64(r.body.Len())
	if err != nil {
		body = io.MultiReader(body, failing{err})
		if n, bad := strconv.ParseInt(r.header.Get("Content-Length"), 10, 64); bad == nil {
			length = n
		}
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)), StatusCode: r.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.header, ContentLength: length,
		Body: io.NopCloser(body), Request: req,
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
