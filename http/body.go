package http

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"

	"github.com/miroir-search/miroir/api"
)

// Errors of reading a body, before they get the words of their route.
var (
	errTooLarge   = errors.New("body over the limit")
	errCorrupted  = errors.New("body does not decode")
	errIncomplete = errors.New("body ended early")
)

// readBody reads the whole body into one slice that belongs to the caller. The
// limit counts decoded bytes.
func (c *call) readBody() (body []byte, err error) {
	c.body, err = c.readWhole()
	return c.body, err
}

func (c *call) readWhole() ([]byte, error) {
	r := c.c.Request()
	limit := c.s.opts.MaxBody
	in, source, err := c.decoded()
	switch n := r.ContentLength; {
	case err != nil || in == nil:
		return nil, err
	case n < 0 || source != nil:
		return c.grow(in, limit, source)
	case n > spoolFrom: // a slow client holds what it has sent, not what it will send
		return c.grow(in, n, nil)
	default:
		if err := c.hold(n); err != nil {
			return nil, err
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(in, body); err != nil {
			return nil, readFailure(err)
		}
		return body, nil
	}
}

// encoding is the Content-Encoding, in lower case; encoded is false for codings that
// are not undone: bodies of others are taken as they are, as Meilisearch does.
func (c *call) encoding() (name string, encoded bool) {
	name = strings.ToLower(strings.TrimSpace(c.c.Request().Header.Get("Content-Encoding")))
	switch name {
	case "gzip", "deflate", "br":
		return name, true
	}
	return name, false
}

// decoded gives the body as it was before it was encoded, nil for none. A body that
// announces a size over the limit is refused.
// source is set for decoders: an error of theirs is the client's encoding unless
// the connection failed.
func (c *call) decoded() (in io.Reader, source *countingReader, err error) {
	r := c.c.Request()
	encoding, encoded := c.encoding()
	switch n := r.ContentLength; {
	case n == 0:
		return nil, nil, nil
	case !encoded && n > c.s.opts.MaxBody:
		return nil, nil, errTooLarge
	case !encoded:
		return r.Body, nil, nil
	}
	source = &countingReader{r: r.Body}
	switch encoding {
	case "gzip":
		in, err = gzip.NewReader(source)
	case "deflate":
		in, err = inflate(source)
	case "br":
		in = brotli.NewReader(source)
	}
	if err != nil {
		return nil, nil, encodedFailure(err, source)
	}
	return in, source, nil
}

// inflate reads the zlib format, which "deflate" means, and the bare one that
// some clients send instead.
func inflate(r io.Reader) (io.Reader, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	whole := io.MultiReader(bytes.NewReader(head[:]), r)
	if head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(whole)
	}
	return flate.NewReader(whole), nil
}

// grow reads r to its end, doubling the slice. source is set for decoders: an
// error of theirs is the client's encoding unless the connection failed.
func (c *call) grow(r io.Reader, limit int64, source *countingReader) ([]byte, error) {
	body := make([]byte, 0, min(limit+1, 4096))
	if err := c.hold(int64(cap(body)) - 1); err != nil {
		return nil, err
	}
	for {
		if len(body) == cap(body) {
			more := min(int64(cap(body))*2, limit+1)
			if err := c.hold(more - 1); err != nil {
				return nil, err
			}
			bigger := make([]byte, len(body), more)
			copy(bigger, body)
			body = bigger
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil && source != nil:
			return nil, encodedFailure(err, source)
		case err != nil:
			return nil, readFailure(err)
		}
	}
}

// hold sees to it that the request has n bytes of the budget that all bodies
// share, waiting a bounded time for them. They are given back when it ends.
func (c *call) hold(n int64) error {
	more := n - c.held
	if more <= 0 {
		return nil
	}
	if !c.s.bodies.take(c.ctx(), more, c.s.opts.MaxWait) {
		c.s.metrics.overLimit.WithLabelValues("bodies").Inc()
		return api.NewError(api.CodeOverloaded, "Too many large requests are held at the same time. Retry after 1s.")
	}
	c.held = n
	return nil
}

func (c *call) release() {
	if c.held > 0 {
		c.s.bodies.give(c.held)
		c.held = 0
	}
}

// countingReader remembers whether the connection, not the decoder, failed.
type countingReader struct {
	r      io.Reader
	failed error
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}

func encodedFailure(err error, source *countingReader) error {
	if source.failed != nil {
		return readFailure(source.failed)
	}
	return fmt.Errorf("%w: %w", errCorrupted, err)
}

func readFailure(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errIncomplete
	}
	return fmt.Errorf("%w: %w", errIncomplete, err)
}

// mediaType is the essence of the Content-Type, in lower case, with what the
// client wrote. ok is false when there is none.
func mediaType(h http.Header) (essence, written string, ok bool) {
	written = h.Get("Content-Type")
	if written == "" {
		return "", "", false
	}
	if written == api.ContentTypeJSON {
		return written, written, true
	}
	essence, _, err := mime.ParseMediaType(written)
	if err != nil {
		return "", written, true
	}
	return essence, written, true
}

// jsonBody reads the body of a route that takes JSON only.
func (c *call) jsonBody() ([]byte, error) {
	essence, written, ok := mediaType(c.c.Request().Header)
	switch {
	case !ok:
		return nil, api.MissingContentType(api.ContentTypeJSON)
	case essence != api.ContentTypeJSON && !strings.HasSuffix(essence, "/json") && !strings.HasSuffix(essence, "+json"):
		return nil, api.InvalidContentType(written, api.ContentTypeJSON)
	}
	body, err := c.readBody()
	switch {
	case errors.Is(err, errTooLarge):
		c.s.metrics.overLimit.WithLabelValues("body").Inc()
		return nil, jsonTooLarge(c.c.Request(), c.s.opts.MaxBody)
	case err != nil:
		encoding, _ := c.encoding()
		return nil, jsonBodyError(err, encoding)
	case len(body) == 0:
		return nil, api.MissingPayload("json")
	}
	return body, nil
}

func jsonTooLarge(r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return api.Errorf("payload_too_large", "JSON payload (%d bytes) is larger than allowed (limit: %d bytes).", r.ContentLength, limit)
	}
	return api.Errorf("payload_too_large", "JSON payload has exceeded limit (%d bytes).", limit)
}

// payloadError gives errors of reading documents their words, other than that of the
// limit.
func payloadError(err error) error {
	if errors.Is(err, errCorrupted) || errors.Is(err, errIncomplete) {
		return api.NewError("bad_request", "The provided payload is incomplete and cannot be parsed")
	}
	return err
}

// jsonBodyError is payloadError for the routes that take JSON only: a server shows what
// its decoder of that encoding says.
func jsonBodyError(err error, encoding string) error {
	cause := "None"
	switch {
	case errors.Is(err, errIncomplete):
	case !errors.Is(err, errCorrupted):
		return err
	case errors.Is(err, gzip.ErrHeader):
		cause = unpacking("InvalidInput", "invalid gzip header")
	case encoding == "br":
		cause = unpacking("InvalidData", "Invalid Data")
	case encoding == "deflate":
		cause = unpacking("InvalidInput", "corrupt deflate stream")
	default:
		cause = unpacking("InvalidInput", "corrupt gzip stream does not have a matching checksum")
	}
	return api.NewError("bad_request", "Error that occur during reading payload: payload reached EOF before completing: "+cause)
}

// unpacking is how a server shows the error of a decoder.
func unpacking(kind, text string) string {
	return "Some(Custom { kind: " + kind + `, error: "` + text + `" })`
}

// jsonValue reads and parses a JSON body, for the cold routes.
func (c *call) jsonValue() (api.Value, error) {
	body, err := c.jsonBody()
	if err != nil {
		return api.Value{}, err
	}
	return c.parse(body)
}

func malformed(err error) error {
	var e *api.Error
	if errors.As(err, &e) {
		return e
	}
	return api.MalformedJSON(err.Error())
}
