package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

// Error is the body of every error answer. It is also a Go error, so handlers return it directly. Values are not
// changed after creation.
type Error struct {
	Message string `json:"message"`
	Code    string `json:"code"`
	Type    string `json:"type"`
	Link    string `json:"link"`

	status int // 0 for the one that follows from the code
}

const linkPrefix = "https://docs.meilisearch.com/errors#"

// NewError makes the error of a code: type and link follow from the code.
func NewError(code, message string) *Error {
	return &Error{Message: message, Code: code, Type: ErrorType(code), Link: linkPrefix + code}
}

// Errorf is NewError with a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return NewError(code, fmt.Sprintf(format, args...))
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Status is the HTTP status: that of the code, unless WithStatus said otherwise.
func (e *Error) Status() int {
	if e.status != 0 {
		return e.status
	}
	return Status(e.Code)
}

// WithStatus returns a copy that is answered with another status, as a missing index is by multi-search.
func (e *Error) WithStatus(status int) *Error {
	out := *e
	out.status = status
	return &out
}

// Prefixed returns a copy whose message begins with prefix.
func (e *Error) Prefixed(prefix string) *Error {
	out := *e
	out.Message = prefix + e.Message
	return &out
}

// WithCode returns a copy of the error under another code, as search errors become similar errors.
func (e *Error) WithCode(code string) *Error { return NewError(code, e.Message) }

// Codes that are neither 400 nor of type invalid_request.
const (
	typeInvalidRequest = "invalid_request"
	typeAuth           = "auth"
	typeInternal       = "internal"
	typeSystem         = "system"
)

type codeInfo struct {
	status int
	kind   string
}

// codes lists every code that is not plainly 400 invalid_request.
var codes = map[string]codeInfo{
	"missing_authorization_header": {http.StatusUnauthorized, typeAuth},
	"missing_master_key":           {http.StatusUnauthorized, typeAuth},
	"invalid_api_key":              {http.StatusForbidden, typeAuth},
	"remote_invalid_api_key":       {http.StatusForbidden, typeAuth},

	"index_not_found":               {http.StatusNotFound, typeInvalidRequest},
	"document_not_found":            {http.StatusNotFound, typeInvalidRequest},
	"task_not_found":                {http.StatusNotFound, typeInvalidRequest},
	"task_file_not_found":           {http.StatusNotFound, typeInvalidRequest},
	"batch_not_found":               {http.StatusNotFound, typeInvalidRequest},
	"api_key_not_found":             {http.StatusNotFound, typeInvalidRequest},
	"webhook_not_found":             {http.StatusNotFound, typeInvalidRequest},
	"chat_not_found":                {http.StatusNotFound, typeInvalidRequest},
	"dump_not_found":                {http.StatusNotFound, typeInvalidRequest},
	"dynamic_search_rule_not_found": {http.StatusNotFound, typeInvalidRequest},
	"render_document_not_found":     {http.StatusNotFound, typeInvalidRequest},

	"api_key_already_exists":  {http.StatusConflict, typeInvalidRequest},
	"index_already_exists":    {http.StatusConflict, typeInvalidRequest},
	"dump_already_processing": {http.StatusConflict, typeInvalidRequest},

	"import_task_already_received":           {http.StatusPreconditionFailed, typeInvalidRequest},
	"import_task_unknown_remote":             {http.StatusPreconditionFailed, typeInvalidRequest},
	"receive_import_finished_unknown_remote": {http.StatusPreconditionFailed, typeInvalidRequest},
	"network_version_mismatch":               {http.StatusPreconditionFailed, typeInvalidRequest},
	"import_task_without_network_task":       {http.StatusServiceUnavailable, typeInvalidRequest},

	"payload_too_large":      {http.StatusRequestEntityTooLarge, typeInvalidRequest},
	"missing_content_type":   {http.StatusUnsupportedMediaType, typeInvalidRequest},
	"invalid_content_type":   {http.StatusUnsupportedMediaType, typeInvalidRequest},
	"unsupported_media_type": {http.StatusUnsupportedMediaType, typeInvalidRequest},

	"io_error":                 {http.StatusUnprocessableEntity, typeSystem},
	"no_space_left_on_device":  {http.StatusUnprocessableEntity, typeSystem},
	"too_many_open_files":      {http.StatusUnprocessableEntity, typeSystem},
	"too_many_search_requests": {http.StatusServiceUnavailable, typeSystem},

	"requires_enterprise_edition":                  {http.StatusUnavailableForLegalReasons, typeInvalidRequest},
	"unimplemented_external_function_calling":      {http.StatusNotImplemented, typeInvalidRequest},
	"unimplemented_non_streaming_chat_completions": {http.StatusNotImplemented, typeInvalidRequest},
	"unimplemented_multi_choice_chat_completions":  {http.StatusNotImplemented, typeInvalidRequest},

	"remote_bad_response":           {http.StatusBadGateway, typeSystem},
	"remote_could_not_send_request": {http.StatusBadGateway, typeSystem},
	"remote_remote_error":           {http.StatusBadGateway, typeSystem},
	"remote_timeout":                {http.StatusBadGateway, typeSystem},

	"internal":                    {http.StatusInternalServerError, typeInternal},
	"database_size_limit_reached": {http.StatusInternalServerError, typeInternal},
	"dump_process_failed":         {http.StatusInternalServerError, typeInternal},
	"index_creation_failed":       {http.StatusInternalServerError, typeInternal},
	"invalid_state":               {http.StatusInternalServerError, typeInternal},
	"invalid_store_file":          {http.StatusInternalServerError, typeInternal},
	"unretrievable_document":      {http.StatusBadRequest, typeInternal},

	CodeNoQuorum:             {http.StatusServiceUnavailable, typeSystem},
	CodeShardUnavailable:     {http.StatusServiceUnavailable, typeSystem},
	CodeReservedField:        {http.StatusBadRequest, typeInvalidRequest},
	CodeIdempotencyKeyReused: {http.StatusConflict, typeInvalidRequest},
	CodeOverloaded:           {http.StatusServiceUnavailable, typeSystem},
	CodeStoreUnavailable:     {http.StatusServiceUnavailable, typeSystem},
	CodeNotSupported:         {http.StatusNotImplemented, typeInvalidRequest},
	CodeReshardingWindow:     {http.StatusConflict, typeInvalidRequest},
}

// The codes that are Miroir's own and unknown to Meilisearch.
const (
	CodeNoQuorum             = "miroir_no_quorum"
	CodeShardUnavailable     = "miroir_shard_unavailable"
	CodeReservedField        = "miroir_reserved_field"
	CodeIdempotencyKeyReused = "miroir_idempotency_key_reused"
	CodeOverloaded           = "miroir_overloaded"
	CodeStoreUnavailable     = "miroir_store_unavailable"
	CodeNotSupported         = "miroir_not_supported"
	CodeReshardingWindow     = "miroir_resharding_window"
)

// Status is the HTTP status of an error code; 400 for codes without a special one, as in Meilisearch.
func Status(code string) int {
	if info, ok := codes[code]; ok {
		return info.status
	}
	return http.StatusBadRequest
}

// ErrorType is the `type` of an error code: invalid_request, auth, internal or system.
func ErrorType(code string) string {
	if info, ok := codes[code]; ok {
		return info.kind
	}
	return typeInvalidRequest
}

// Marshal encodes a value as Meilisearch prints it: compact and without escaping <, > and &.
func Marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}
