;;; -*- lexical-binding: t -*-
;; Drives jobline as Eglot drives any language server: it sends initialize, and its
;; shutdown sends shutdown and exit. It comes with Emacs since 29.
(require 'eglot)

(add-to-list 'eglot-server-programs '(text-mode . ("jobline" "attach")))

(defvar tasks (make-hash-table :test 'equal)
  "What was told of each task, by its id.")

(cl-defmethod eglot-handle-notification (_server (_method (eql task/started)) &key id &allow-other-keys)
  "Note that a task runs."
  (puthash id "running" tasks))

(cl-defmethod eglot-handle-notification (_server (_method (eql task/finished)) &key id state &allow-other-keys)
  "Note how a task has ended."
  (puthash id state tasks))

(defun say (&rest words)
  (princ (concat (mapconcat (lambda (w) (format "%s" w)) words " ") "\n")))

(defun call (server method &rest params)
  "The result of METHOD. `jsonrpc-request' may leave messages behind the reply unread."
  (let (done result)
    (jsonrpc-async-request server method params
                           :success-fn (lambda (r) (setq done t result r))
                           :error-fn (lambda (e) (error "%s: %s" method e)))
    (while (not done) (accept-process-output nil 0.1))
    result))

(defun until (id state)
  "Take in what comes until a task is in a state."
  (while (not (equal (gethash id tasks) state)) (accept-process-output nil 0.1)))

(defun connect ()
  "Connect the buffer."
  (call-interactively #'eglot)
  (eglot-current-server))

(defun stop (server)
  "Send shutdown and exit. Emacs kills the process of any server behind that."
  (eglot-shutdown server)
  (say "running:" (jsonrpc-running-p server)))

(find-file (expand-file-name "notes.txt" (make-temp-file "jobline" t)))
(text-mode)
(let* ((eglot-sync-connect 10)
       (server (connect))
       (quick (call server :submit :type "exec" :input '(:argv ["true"])))
       long)
  (say "shared:" (eq t (plist-get (eglot--capabilities server) :shared)))
  (until (plist-get quick :id) "completed")
  (say (plist-get quick :type) (gethash (plist-get quick :id) tasks))
  (setq long (plist-get (call server :submit :type "exec" :input '(:argv ["sleep" "600"])) :id))
  (until long "running")
  (stop server) ; the task goes on

  (setq server (connect))
  (say "after the stop:" (plist-get (call server :status :id long) :state))
  (call server :cancel :id long :reason "enough")
  (say "then:" (plist-get (aref (plist-get (call server :wait :ids (vector long)) :tasks) 0) :state))
  (stop server))
