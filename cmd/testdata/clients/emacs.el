;;; -*- lexical-binding: t -*-
;; Runs tasks on jobline through jsonrpc.el, which comes with Emacs.
(require 'jsonrpc)
(require 'subr-x)

(defvar tasks (make-hash-table :test 'equal)
  "What was shown of each task or subscription, by its id.")

(defun notified (_connection method params)
  "Keep what a notification shows of its task."
  (let* ((id (or (plist-get params :id) (plist-get params :subscription)))
         (task (or (gethash id tasks) (list :events nil :output "" :state nil)))
         (event (cadr (split-string (symbol-name method) "/"))))
    (unless (member event (plist-get task :events))
      (plist-put task :events (append (plist-get task :events) (list event))))
    (pcase event
      ("output" (plist-put task :output (concat (plist-get task :output) (plist-get params :data))))
      ("finished" (plist-put task :state (plist-get params :state))))
    (puthash id task tasks)))

(defvar stderr (get-buffer-create "*jobline stderr*"))

(defvar process
  (make-process :name "jobline" :command '("jobline" "serve") :connection-type 'pipe
                :coding 'utf-8-unix :noquery t :stderr stderr))

(defvar jobline
  (jsonrpc-process-connection :name "jobline" :process process
                              :notification-dispatcher #'notified
                              :events-buffer-scrollback-size 0)) ; nil, the default, grows for ever

(define-error 'jobline-error "The server answered with an error, or ended")

(defun last-words ()
  "The last line that the server wrote on stderr."
  (while (let ((reader (get-buffer-process stderr))) (and reader (accept-process-output reader 1))))
  (let ((text (with-current-buffer stderr (buffer-string))))
    (car (last (split-string (car (split-string text "\n\nProcess ")) "\n" t))))) ; Emacs adds that

(defun next ()
  "Take in what comes, or tell why nothing comes any more."
  (unless (or (accept-process-output process 1) (process-live-p process))
    (signal 'jobline-error (list :message (last-words)))))

(defun call (method &rest params)
  "The result of METHOD with the plist PARAMS.
An editor gives :success-fn its work instead of waiting here."
  (let (done result failure)
    (condition-case unsent
        (jsonrpc-async-request jobline method params
                               :timeout nil ; ten seconds where it is absent
                               :success-fn (lambda (r) (setq done t result r))
                               :error-fn (lambda (e) (setq done t failure e)))
      (error (signal (if (process-live-p process) (car unsent) 'jobline-error)
                     (if (process-live-p process) (cdr unsent) (list :message (last-words))))))
    (while (not done) (next))
    (when failure
      (unless (process-live-p process) (next)) ; to tell more than that it died
      (signal 'jobline-error failure))
    result))

(defun end ()
  "Have the server end, and answer its exit code, which is 0 where all went well.
Newer versions of jsonrpc.el drop the reply, and call :error-fn, where the
server has ended by the time that they handle it."
  (condition-case failure (call :shutdown)
    (jobline-error (unless (and (eq (process-status process) 'exit) (= (process-exit-status process) 0))
                     (signal (car failure) (cdr failure)))))
  (while (process-live-p process) (accept-process-output process 1))
  (process-exit-status process))

(defun say (&rest words)
  (princ (concat (mapconcat (lambda (w) (format "%s" w)) words " ") "\n")))

(defun until (id event)
  "Wait for a notification of a task."
  (while (not (member event (plist-get (gethash id tasks) :events))) (next)))

(defun truth (value) (if (eq value t) "true" "false")) ; false is :json-false, absent is nil

(defun story (id)
  (let ((task (gethash id tasks)))
    (concat (plist-get task :state) " after " (string-join (plist-get task :events) " "))))

;; An id of our own makes it safe to submit again: any UUID will do.
(let* ((nap "7d1b2c9e-0b6f-4c55-9d0e-3a4f5b6c7d8e")
       (submit-nap (lambda () (call :submit :id nap :type "sleep"
                                    :input '(:durationMs 50 :progressEveryMs 10))))
       echo long)
  (say "submitted sleep, known before:" (truth (plist-get (funcall submit-nap) :existing)))
  (say "submitted sleep, known before:" (truth (plist-get (funcall submit-nap) :existing)))
  (until nap "finished")
  (say "sleep" (story nap))

  (setq echo (plist-get (call :submit :type "exec" :input '(:argv ["echo" "héllo ✓"])
                              :events ["started" "progress" "output" "finished"])
                        :id))
  (until echo "finished")
  (say "exec wrote" (string-trim (plist-get (gethash echo tasks) :output)))
  (say "exec" (story echo))

  (condition-case err
      (call :submit :type "slep")
    (jobline-error
     (let ((data (plist-get (cdr err) :data)))
       (say "error" (plist-get (cdr err) :code) (plist-get data :kind)
            "retryable:" (truth (plist-get data :retryable))))))

  (setq long (plist-get (call :submit :type "exec" :input '(:argv ["sleep" "600"])) :id))
  (until long "started")
  (say "cancel:" (plist-get (call :cancel :id long :reason "enough") :outcome))

  (let ((all (plist-get (call :wait :ids (vector nap echo long)) :tasks)))
    (until long "finished")
    (say "exec" (story long))
    (say "all:" (mapconcat (lambda (task) (plist-get task :state)) all " "))))

(say "exit" (end))
