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

// translated answers the one request that Apicurio's Avro converter makes, to register a schema, by
// requests that the registry knows; all others it passes on as they are.
func translated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject := r.Header.Get("X-Registry-ArtifactId")
		if !strings.HasPrefix(r.URL.Path, "/apis/registry/v2/") || subject == "" {
			next.ServeHTTP(w, r)
			return
		}
		schema, err := io.ReadAll(r.Body)
		if err != nil || strings.Contains(r.Header.Get("Content-Type"), "extended") {
			http.Error(w, "expected a schema without references", http.StatusBadRequest)
			return
		}
		path := "/subjects/" + url.PathEscape(subject)
		answer := asked(next, r, path+"/versions", string(schema))
		if answer.Code == http.StatusOK {
			answer = asked(next, r, path, string(schema)) // says the version, too
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(answer.Code)
		w.Write(described(subject, answer))
	})
}

// asked is what the registry answers, who asks being that of a request.
func asked(next http.Handler, r *http.Request, path, schema string) *httptest.ResponseRecorder {
	body, _ := json.Marshal(map[string]string{"schema": schema})
	request := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
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
