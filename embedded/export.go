package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
	"github.com/miroir-search/miroir/embedded/engine"
)

// exportOrder is the work of an export task.
type exportOrder struct {
	URL         string                   `json:"url"`
	APIKey      *string                  `json:"apiKey,omitempty"`
	PayloadSize uint64                   `json:"payloadSize,omitempty"`
	Indexes     map[string]exportedIndex `json:"indexes"`
}

type exportedIndex struct {
	Filter   json.RawMessage `json:"filter,omitempty"`
	Override bool            `json:"overrideSettings"`
	// Matched is how many documents were sent.
	Matched *uint64 `json:"matchedDocuments,omitempty"`
}

// exportView is an index in the details of a task.
type exportView struct {
	Filter   json.RawMessage `json:"filter"`
	Override bool            `json:"overrideSettings"`
	Matched  *uint64         `json:"matchedDocuments"`
}

const defaultExportPayload = 20 << 20

func readExportedIndex(code string, x *exportedIndex) api.Into {
	return api.ObjectInto(code, func() []api.Field {
		return []api.Field{
			{Name: "filter", Into: func(v api.Value, _ api.At) *api.Error {
				if v.Kind != api.Null {
					x.Filter = json.RawMessage(v.String())
				}
				return nil
			}},
			{Name: "overrideSettings", Into: api.Bool("invalid_export_index_override_settings", &x.Override)},
		}
	})
}

func export(r *request) (*reply, *api.Error) {
	o := &exportOrder{}
	var indexes *map[string]exportedIndex
	err := r.object(
		api.Field{Name: "url", Into: api.Text("invalid_export_url", &o.URL)},
		api.Field{Name: "apiKey", Into: api.Maybe("invalid_export_api_key", &o.APIKey, api.Text)},
		api.Field{Name: "payloadSize", Into: payloadSize(&o.PayloadSize)},
		api.Field{Name: "indexes", Into: api.Maybe("bad_request", &indexes, api.Map(readExportedIndex))})
	if err != nil {
		return nil, err
	}
	o.Indexes = map[string]exportedIndex{"*": {}}
	if indexes != nil {
		o.Indexes = *indexes
	}
	for _, pattern := range sortedKeys(o.Indexes) {
		if auth.BadPattern(pattern) != "" {
			return nil, api.Invalid("bad_request", api.At{}.Key("indexes"), "the key "+api.QuoteJSON(pattern)+" could not be deserialized into the "+
				"key type `meilisearch_types::index_uid_pattern::IndexUidPattern`")
		}
	}
	t, err := r.core.enqueue(api.Export, &operation{Kind: opExport, Export: o}, o.details(o.Indexes), nil)
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusOK, body: t.Summary()}, nil
}

// payloadSize reads a number of bytes, or one with a unit.
func payloadSize(dst *uint64) api.Into {
	const code = "invalid_export_payload_size"
	return func(v api.Value, at api.At) *api.Error {
		switch v.Kind {
		case api.Null:
			return nil
		case api.Integer:
			*dst = v.Uint
			return nil
		case api.String:
			n, reason := parseSize(v.Str)
			if reason != "" {
				return api.Invalid(code, at, reason)
			}
			*dst = n
			return nil
		default:
			return api.WrongType(code, at, v, api.Integer, api.String)
		}
	}
}

// parseSize reads a number of bytes with a unit such as kB or MiB.
func parseSize(text string) (uint64, string) {
	end := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789.", r) })
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.ParseFloat(text[:end], 64)
	unit := strings.ToLower(strings.TrimSpace(text[end:]))
	if err != nil && text != "" {
		return 0, fmt.Sprintf("the character '%c' is not a number", []rune(text)[0])
	}
	power := strings.IndexByte("kmgtpe", append([]byte(unit), 'x')[0]) + 1
	base := 1000.0
	if power > 0 {
		unit = unit[1:]
		if rest, binary := strings.CutPrefix(unit, "i"); binary {
			unit, base = rest, 1024
		}
	}
	if unit != "" && unit != "b" {
		return 0, fmt.Sprintf("the character '%c' is incorrect ('B', 'b' or no character or no character is expected)", []rune(unit)[0])
	}
	return uint64(n * math.Pow(base, float64(power))), ""
}

// details of the task, with the key cut.
func (o *exportOrder) details(indexes map[string]exportedIndex) *api.Details {
	d := &api.Details{URL: api.Some(o.URL)}
	if o.APIKey != nil {
		d.APIKey = api.Some(api.HideSecret(*o.APIKey))
	}
	if o.PayloadSize > 0 {
		d.PayloadSize = api.Some(humanSize(o.PayloadSize))
	}
	views := make(map[string]exportView, len(indexes))
	for pattern, x := range indexes {
		views[pattern] = exportView(x)
	}
	if data, err := api.Marshal(views); err == nil {
		d.Indexes = api.Some(json.RawMessage(data))
	}
	return d
}

// export sends the documents of the chosen indexes to another server.
func (ch *change) export(rec *record) outcome {
	o, sent := rec.op.Export, map[string]exportedIndex{}
	for _, uid := range ch.core.uids(access{}) {
		for _, pattern := range sortedKeys(o.Indexes) {
			if !auth.Matches(pattern, uid) {
				continue
			}
			x, err := ch.core.lookup(uid)
			if err != nil {
				return failed(err)
			}
			done := o.Indexes[pattern]
			n, err := ch.exportIndex(o, x, done)
			if err != nil {
				return failed(err)
			}
			done.Matched = &n
			sent[uid] = done
			break
		}
	}
	return outcome{details: o.details(sent)}
}

// exporter is one index on its way to another server.
type exporter struct {
	core  *core
	order *exportOrder
}

// call sends one request; an answer that is no success is an error with the other server's code and words.
func (e exporter) call(method, path string, contentType string, body []byte) *api.Error {
	headers := map[string]string{"Content-Type": contentType}
	if e.order.APIKey != nil {
		headers["Authorization"] = "Bearer " + *e.order.APIKey
	}
	status, answer, err := e.core.outside.post(method, strings.TrimSuffix(e.order.URL, "/")+path, headers, body)
	if err != nil {
		return api.NewError("io_error", err.Error())
	}
	if status < 300 {
		return nil
	}
	var other struct{ Code, Message string }
	if err := json.Unmarshal(answer, &other); err != nil || other.Code == "" {
		return api.Errorf("io_error", "the remote answered with status %d", status)
	}
	return api.NewError(other.Code, other.Message)
}

func (ch *change) exportIndex(o *exportOrder, x *index, options exportedIndex) (uint64, *api.Error) {
	docs, err := ch.exported(x, options)
	if err != nil {
		return 0, err
	}
	e := exporter{ch.core, o}
	path := "/indexes/" + x.uid
	missing := e.call(http.MethodGet, path, api.ContentTypeJSON, nil)
	if missing != nil && missing.Code != "index_not_found" {
		return 0, missing
	}
	var pk *string
	if x.primaryKey != "" {
		pk = &x.primaryKey
	}
	send := func(method, path string, body any) {
		if err == nil {
			data, marshalErr := api.Marshal(body)
			if marshalErr != nil {
				err = api.Internal(marshalErr.Error())
				return
			}
			err = e.call(method, path, api.ContentTypeJSON, data)
		}
	}
	switch {
	case missing != nil:
		send(http.MethodPost, "/indexes", map[string]any{"uid": x.uid, "primaryKey": pk})
	case options.Override:
		send(http.MethodPatch, path, map[string]any{"primaryKey": pk})
	}
	if missing != nil || options.Override {
		s := *x.settings
		if !ch.core.feature("chatCompletions") {
			s.Chat = nil
		}
		send(http.MethodPatch, path+"/settings", &s)
	}
	if err != nil {
		return 0, err
	}
	return e.documents(path+"/documents", docs)
}

// exported chooses the documents; their vectors come along.
func (ch *change) exported(x *index, options exportedIndex) ([]json.RawMessage, *api.Error) {
	var filter any
	if options.Filter != nil {
		v, err := api.ParseJSON(options.Filter)
		if err != nil {
			return nil, api.Internal(err.Error())
		}
		filter = v.Any()
	}
	docs, _, err := x.engine.Documents(&engine.BrowseQuery{Filter: filter, Limit: x.engine.Len(), RetrieveVectors: len(x.settings.Embedders) > 0})
	var bad *engine.Error
	if errors.As(err, &bad) {
		return nil, documentError(engineError(x.uid, err))
	}
	if err != nil {
		return nil, api.Internal(err.Error())
	}
	return docs, nil
}

// documents sends documents in parts of the wanted size.
func (e exporter) documents(path string, docs []json.RawMessage) (uint64, *api.Error) {
	limit := e.order.PayloadSize
	if limit == 0 {
		limit = defaultExportPayload
	}
	var part bytes.Buffer
	flush := func() *api.Error {
		if part.Len() == 0 {
			return nil
		}
		err := e.call(http.MethodPost, path, api.ContentTypeNDJSON, part.Bytes())
		part.Reset()
		return err
	}
	for i, doc := range docs {
		if uint64(len(doc)) > limit {
			return uint64(i), api.NewError("bad_request", fmt.Sprintf("a document of %d bytes does not fit the payload size of %d bytes", len(doc), limit))
		}
		if uint64(part.Len()+len(doc)+1) > limit {
			if err := flush(); err != nil {
				return uint64(i), err
			}
		}
		part.Write(doc)
		part.WriteByte('\n')
	}
	return uint64(len(docs)), flush()
}
