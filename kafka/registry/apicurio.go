package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
)

const apicurio, byID = "/apis/registry/v2/", "/apis/registry/v2/ids/globalIds/"

// translated answers the requests that Apicurio's Avro converter makes, to register a schema and to
// look one up by its id, by requests that the registry knows; all others it passes on as they are.
func translated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject := r.Header.Get("X-Registry-ArtifactId")
		switch {
		case strings.HasPrefix(r.URL.Path, byID):
			lookUp(next, w, r)
		case strings.HasPrefix(r.URL.Path, apicurio) && subject != "":
			register(next, w, r, subject)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// lookUp answers with the schema of an id, or with its references, of which there are none.
func lookUp(next http.Handler, w http.ResponseWriter, r *http.Request) {
	id, part, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, byID), "/")
	answer := asked(next, r, http.MethodGet, "/schemas/ids/"+url.PathEscape(id), nil)
	var found struct{ Schema string }
	text := answer.Body.Bytes()
	if answer.Code == http.StatusOK && json.Unmarshal(text, &found) == nil {
		text = []byte(found.Schema)
		if part == "references" {
			text = []byte("[]")
		}
	}
	tell(w, answer.Code, text)
}

// register answers with where a schema is, as Apicurio describes it.
func register(next http.Handler, w http.ResponseWriter, r *http.Request, subject string) {
	schema, err := io.ReadAll(r.Body)
	if err != nil || strings.Contains(r.Header.Get("Content-Type"), "extended") {
		http.Error(w, "expected a schema without references", http.StatusBadRequest)
		return
	}
	body, _ := json.Marshal(map[string]string{"schema": string(schema)})
	path := "/subjects/" + url.PathEscape(subject)
	answer := asked(next, r, http.MethodPost, path+"/versions", body)
	if answer.Code == http.StatusOK {
		answer = asked(next, r, http.MethodPost, path, body) // says the version, too
	}
	tell(w, answer.Code, described(subject, answer))
}

// tell writes an answer.
func tell(w http.ResponseWriter, code int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(text)
}

// asked is what the registry answers, who asks being that of a request.
func asked(next http.Handler, r *http.Request, method, path string, body []byte) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", r.Header.Get("Authorization"))
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, request)
	return answer
}

// described is an answer as Apicurio would give it; a complaint stays as it is.
func described(subject string, answer *httptest.ResponseRecorder) []byte {
	var found struct{ ID, Version int }
	if answer.Code != http.StatusOK || json.Unmarshal(answer.Body.Bytes(), &found) != nil {
		return answer.Body.Bytes()
	}
	text, _ := json.Marshal(map[string]any{
		"id": subject, "type": "AVRO", "version": strconv.Itoa(found.Version),
		"globalId": found.ID, "contentId": found.ID,
	})
	return text
}
