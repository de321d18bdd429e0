package embedded

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"mime"
	"strings"

	"github.com/andybalholm/brotli"

	"github.com/miroir-search/miroir/api"
)

// readBody returns the decoded body, at most the node's limit.
func (r *request) readBody() ([]byte, *api.Error) {
	limit := r.core.opt.MaxPayload
	in, err := decoder(r.Header.Get("Content-Encoding"), r.Body)
	if err != nil {
		return nil, api.NewError("bad_request", err.Error())
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	switch {
	case int64(len(data)) > limit:
		return nil, api.PayloadTooLarge(limit)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, api.NewError("bad_request", "The provided payload is incomplete and cannot be parsed")
	case err != nil:
		return nil, api.NewError("bad_request", err.Error())
	}
	r.body = data
	return data, nil
}

func decoder(encoding string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "gzip", "x-gzip":
		return gzip.NewReader(in)
	case "br":
		return brotli.NewReader(in), nil
	case "deflate":
		return inflate(in)
	default:
		return in, nil // a real server takes codings that it does not know for none
	}
}

// inflate reads deflate with or without the zlib wrapper: clients send both under this name. It reads no more of the body
// than its reader asks for.
func inflate(in io.Reader) (io.Reader, error) {
	b := bufio.NewReader(in)
	head, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(head) == 2 && head[0]&0x0f == 8 && head[0]>>4 <= 7 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// mediaType is the type of the body without parameters; empty when there is no header.
func (r *request) mediaType() string {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return ""
	}
	if t, _, err := mime.ParseMediaType(header); err == nil {
		return t
	}
	return header // no type at all
}

// readJSON returns a JSON body after checking its type.
func (r *request) readJSON() (api.Value, *api.Error) {
	if err := r.readJSONType(); err != nil {
		return api.Value{}, err
	}
	body, err := r.readBody()
	if err != nil {
		return api.Value{}, err
	}
	return api.ParseBody(body)
}

// object decodes a JSON body with fields of its own; errors that belong to no field are `bad_request`.
func (r *request) object(fields ...api.Field) *api.Error {
	v, err := r.readJSON()
	if err != nil {
		return err
	}
	return api.DecodeObject(v, api.At{}, "bad_request", fields)
}

// readJSONType checks that the body is said to be JSON.
func (r *request) readJSONType() *api.Error {
	switch t := r.mediaType(); t {
	case api.ContentTypeJSON:
		return nil
	case "":
		return api.MissingContentType(api.ContentTypeJSON)
	default:
		return api.InvalidContentType(t, api.ContentTypeJSON)
	}
}
