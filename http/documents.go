package http

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/filter"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/payload"
)

func (s *Server) documentRoutes() {
	const base = "/indexes/:index/documents"
	s.route(http.MethodGet, base, ActionDocumentsGet, browseGet)
	s.route(http.MethodPost, base+"/fetch", ActionDocumentsGet, browsePost)
	s.route(http.MethodGet, base+"/:id", ActionDocumentsGet, getDocument)
	s.route(http.MethodPost, base, ActionDocumentsAdd, func(c *call) error { return addDocuments(c, false) })
	s.route(http.MethodPut, base, ActionDocumentsAdd, func(c *call) error { return addDocuments(c, true) })
	s.route(http.MethodPost, base+"/delete-batch", ActionDocumentsDelete, deleteBatch)
	s.route(http.MethodPost, base+"/delete", ActionDocumentsDelete, deleteByFilter)
	s.route(http.MethodPost, base+"/edit", ActionDocumentsAll, editDocuments)
	s.route(http.MethodDelete, base+"/:id", ActionDocumentsDelete, deleteDocument)
	s.route(http.MethodDelete, base, ActionDocumentsDelete, clearDocuments)
}

// browseBody is GET /documents in the form of POST /documents/fetch.
type browseBody struct {
	Offset          int        `json:"offset"`
	Limit           int        `json:"limit"`
	Fields          []string   `json:"fields,omitzero"`
	RetrieveVectors bool       `json:"retrieveVectors,omitempty"`
	IDs             []string   `json:"ids,omitzero"`
	Filter          *api.Value `json:"filter,omitempty"`
	Sort            []string   `json:"sort,omitzero"`
	UseNetwork      *bool      `json:"useNetwork,omitempty"`
}

func browseGet(c *call) error {
	q, bad := api.ParseBrowse(c.query())
	if bad != nil {
		return bad
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	body, err := api.Marshal(browseBody{q.Offset, q.Limit, q.Fields, q.RetrieveVectors, q.IDs, q.Filter, q.Sort, q.UseNetwork})
	if err != nil {
		return err
	}
	if err := c.checkFilter(q.Filter, "invalid_document_filter"); err != nil {
		return err
	}
	return c.ask(&messages.BrowseDocuments{IndexUID: uid, Body: body, Query: c.query(), IsGet: true})
}

func browsePost(c *call) error {
	body, err := c.jsonBody()
	if err != nil {
		return err
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	if err := c.checkFilterIn(body, "invalid_document_filter"); err != nil {
		return err
	}
	return c.ask(&messages.BrowseDocuments{IndexUID: uid, Body: body})
}

func getDocument(c *call) error {
	if _, bad := api.ParseDocumentView(c.query()); bad != nil {
		return bad
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	params := api.ParseQuery(c.query())
	query := make(url.Values, len(params.Obj))
	for _, m := range params.Obj {
		query.Set(m.Key, m.Value.Str)
	}
	return c.ask(&messages.GetDocument{IndexUID: uid, DocumentID: c.param("id"), Query: query})
}

func addDocuments(c *call, update bool) error {
	p, bad := api.ParseWriteParams(c.query())
	if bad != nil {
		return bad
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	format, err := documentFormat(c.c.Request().Header, p.CSVDelimiter != nil)
	if err != nil {
		return err
	}
	options, err := c.writeOptions(p.Metadata)
	if err != nil {
		return err
	}
	body, stored, err := c.readPayload()
	switch {
	case errors.Is(err, errTooLarge):
		c.s.metrics.overLimit.WithLabelValues("body").Inc()
		return api.PayloadTooLarge(c.s.opts.MaxBody)
	case err != nil:
		return payloadError(err)
	case len(body) == 0 && stored.IsZero():
		return api.MissingPayload(format)
	}
	m := &messages.AddDocuments{IndexUID: uid, Update: update, Format: format, CSVDelimiter: p.Delimiter(),
		SkipCreation: p.SkipCreation, PrimaryKey: p.PrimaryKey, Payload: body, Stored: stored, WriteOptions: options}
	return c.change(m)
}

// documentFormat finds the format of a payload: json, ndjson or csv.
func documentFormat(h http.Header, delimiter bool) (string, error) {
	essence, written, ok := mediaType(h)
	if essence == "" {
		essence = written
	}
	essence, _, _ = strings.Cut(essence, "+") // a server looks at the type without its suffix
	switch {
	case !ok:
		return "", api.MissingContentType(api.DocumentContentTypes()...)
	case essence == api.ContentTypeCSV:
		return "csv", nil
	case essence != api.ContentTypeJSON && essence != api.ContentTypeNDJSON:
		return "", api.InvalidContentType(essence, api.DocumentContentTypes()...)
	case delimiter:
		return "", api.CSVDelimiterWithWrongContentType(essence)
	case essence == api.ContentTypeJSON:
		return "json", nil
	default:
		return "ndjson", nil
	}
}

// deletion reads what all deletions share.
func deletion(c *call) (uid string, o messages.WriteOptions, err error) {
	metadata, bad := api.ParseMetadata(c.query())
	if bad != nil {
		return "", o, bad
	}
	if uid, err = c.indexUID(); err != nil {
		return "", o, err
	}
	o, err = c.writeOptions(metadata)
	return uid, o, err
}

func deleteDocument(c *call) error {
	uid, options, err := deletion(c)
	if err != nil {
		return err
	}
	return c.change(&messages.DeleteDocuments{IndexUID: uid, IDs: []string{c.param("id")}, WriteOptions: options})
}

func clearDocuments(c *call) error {
	uid, options, err := deletion(c)
	if err != nil {
		return err
	}
	return c.change(&messages.ClearDocuments{IndexUID: uid, WriteOptions: options})
}

func deleteBatch(c *call) error {
	body, err := c.jsonBody()
	if err != nil {
		return err
	}
	metadata, bad := api.ParseMetadata(c.query())
	if bad != nil {
		return bad
	}
	ids, err := payload.ParseIDs(body)
	if err != nil {
		return err
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	options, err := c.writeOptions(metadata)
	if err != nil {
		return err
	}
	return c.change(&messages.DeleteDocuments{IndexUID: uid, IDs: ids, WriteOptions: options})
}

func deleteByFilter(c *call) error {
	metadata, bad := api.ParseMetadata(c.query())
	if bad != nil {
		return bad
	}
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	var expression api.Value
	bad = api.DecodeObject(v, api.At{}, "bad_request", []api.Field{{Name: "filter", Into: api.Raw("invalid_document_filter", &expression),
		Required: true, MissingCode: "missing_document_filter"}})
	if bad != nil {
		return bad
	}
	uid, err := c.indexUID()
	if err != nil {
		return err
	}
	options, err := c.writeOptions(metadata)
	if err != nil {
		return err
	}
	if err := c.checkFilter(&expression, "invalid_document_filter"); err != nil {
		return err
	}
	parsed, err := filter.Parse(expression.Any())
	if err != nil {
		return api.NewError("invalid_document_filter", err.Error())
	}
	if parsed == nil {
		return api.EmptyFilter()
	}
	return c.change(&messages.DeleteDocumentsByFilter{IndexUID: uid, Filter: json.RawMessage(expression.String()), WriteOptions: options})
}

// editDocuments checks the request in the order of a server: its form, the feature,
// the filter, the context. The function is looked at behind the door.
func editDocuments(c *call) error {
	metadata, bad := api.ParseMetadata(c.query())
	if bad != nil {
		return bad
	}
	v, err := c.jsonValue()
	if err != nil {
		return err
	}
	m := &messages.EditDocuments{}
	var expression, context *api.Value
	if bad := api.DecodeObject(v, api.At{}, "bad_request", []api.Field{
		{Name: "filter", Into: api.Maybe("invalid_document_filter", &expression, api.Raw)},
		{Name: "context", Into: api.Maybe("invalid_document_edition_context", &context, api.Raw)},
		{Name: "function", Into: api.Text("invalid_document_edition_function_filter", &m.Function), Required: true,
			MissingCode: "missing_document_edition_function"},
	}); bad != nil {
		return bad
	}
	if err := c.require("editDocumentsByFunction", "Using the documents edit route"); err != nil {
		return err
	}
	if m.IndexUID, err = c.indexUID(); err != nil {
		return err
	}
	if m.WriteOptions, err = c.writeOptions(metadata); err != nil {
		return err
	}
	if err := c.checkFilter(expression, "invalid_document_filter"); err != nil {
		return err
	}
	if expression != nil {
		parsed, err := filter.Parse(expression.Any())
		switch {
		case err != nil: // of the routes with filters only this one names the index
			return api.NewError("invalid_document_filter", err.Error()).Prefixed("Index `" + m.IndexUID + "`: ")
		case parsed == nil:
			return api.EmptyFilter()
		}
		m.Filter = json.RawMessage(expression.String())
	}
	if context != nil {
		if context.Kind != api.Object {
			return api.NewError("invalid_document_edition_context", "The context must be an object")
		}
		m.Context = json.RawMessage(context.String())
	}
	return c.change(m)
}
