package embedded

import (
	"bytes"
	"errors"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/rawjson"
)

// documents are the documents of a write, checked for their form.
type documents struct {
	batch *payload.Batch
	// list is used instead of batch for documents with the reserved names of a proxy: package payload, which reads what
	// clients send, refuses those, but a node gets them from the proxy.
	list [][]byte
}

// parseDocuments reads a body in any of the three formats.
func parseDocuments(data []byte, format payload.Format, delimiter byte) (*documents, *api.Error) {
	batch, err := payload.Parse(data, format, payload.Options{Delimiter: delimiter})
	if err == nil {
		return &documents{batch: batch}, nil
	}
	var reserved *payload.ReservedFieldError
	if !errors.As(err, &reserved) || format == payload.CSV {
		return nil, payloadError(err)
	}
	list, err := cutDocuments(data)
	if err != nil {
		return nil, api.Internal(err.Error())
	}
	return &documents{list: list}, nil
}

// cutDocuments splits a body that is known to be well-formed.
func cutDocuments(data []byte) ([][]byte, error) {
	var out [][]byte
	for i := rawjson.SkipSpace(data, 0); i < len(data); i = rawjson.SkipSpace(data, i) {
		end, err := rawjson.SkipValue(data, i)
		if err != nil {
			return nil, err
		}
		if data[i] != '[' {
			out = append(out, data[i:end])
			i = end
			continue
		}
		err = rawjson.EachElement(data[i:end], func(v []byte) bool {
			out = append(out, v)
			return true
		})
		return out, err
	}
	return out, nil
}

func payloadError(err error) *api.Error {
	var coded interface {
		error
		ErrorCode() string
	}
	if errors.As(err, &coded) {
		return api.NewError(coded.ErrorCode(), coded.Error())
	}
	return api.NewError("bad_request", err.Error())
}

func (d *documents) len() int {
	if d.batch != nil {
		return d.batch.Len()
	}
	return len(d.list)
}

func (d *documents) doc(i int) []byte {
	if d.batch != nil {
		return d.batch.Doc(i)
	}
	return d.list[i]
}

// infer chooses the primary key from the first document.
func (d *documents) infer() (string, *api.Error) {
	pk, err := payload.InferPrimaryKey(d.doc(0))
	if err != nil {
		return "", payloadError(err)
	}
	return pk, nil
}

// ids returns the id of every document.
func (d *documents) ids(pk string) ([]string, *api.Error) {
	out := make([]string, d.len())
	if d.batch != nil {
		if err := d.batch.ResolveIDs(pk); err != nil {
			return nil, payloadError(err)
		}
		for i := range out {
			out[i] = string(d.batch.ID(i))
		}
		return out, nil
	}
	for i, doc := range d.list {
		id, err := documentID(doc, pk)
		if err != nil {
			return nil, err
		}
		out[i] = id
	}
	return out, nil
}

// documentID finds the id of one document; pk may be a path.
func documentID(doc []byte, pk string) (string, *api.Error) {
	found := lookupPath(doc, pk, nil)
	switch len(found) {
	case 0:
		return "", api.Errorf("missing_document_id", "Document doesn't have a `%s` attribute: `%s`.", pk, doc)
	case 1:
	default:
		return "", api.Errorf("invalid_document_id", "Document have too many matching `%s` attribute: `%s`.", pk, doc)
	}
	v, err := api.ParseJSON(found[0])
	if err != nil {
		return "", api.Internal(err.Error())
	}
	id, ok := v.DocumentID()
	if !ok {
		return "", api.NewError("invalid_document_id", api.InvalidDocumentIDText(&v))
	}
	return id, nil
}

// lookupPath collects the values at a path: a literal dotted name, or nested objects.
func lookupPath(doc []byte, path string, found [][]byte) [][]byte {
	if v, ok := rawjson.Get(doc, path); ok {
		found = append(found, v)
	}
	for i := 0; i < len(path); i++ {
		if path[i] != '.' {
			continue
		}
		if v, ok := rawjson.Get(doc, path[:i]); ok && len(v) > 0 && v[0] == '{' {
			found = lookupPath(v, path[i+1:], found)
		}
	}
	return found
}

// encode writes all documents as NDJSON, which parseDocuments reads back.
func (d *documents) encode() []byte {
	var b bytes.Buffer
	for i := range d.len() {
		b.Write(d.doc(i))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// decodeDocuments reads back what encode wrote.
func decodeDocuments(data []byte) (*documents, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return &documents{}, nil
	}
	d, err := parseDocuments(data, payload.NDJSON, 0)
	if err != nil {
		return nil, err
	}
	return d, nil
}
