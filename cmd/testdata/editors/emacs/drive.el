;;; -*- lexical-binding: t -*-
;; What the scenes share: a scene drives jobline.el as a user does, and waits for
;; what the user would see.  A scene that fails ends Emacs with 1.

(setq native-comp-enable-subr-trampolines nil) ; or the advice below needs a C compiler
(require 'jobline)

(defvar said nil "The messages so far, the last first.")
(advice-add 'message :before
            (lambda (format &rest arguments)
              (when format (push (apply #'format-message format arguments) said))))

(setq frame-initial-frame nil
      ring-bell-function #'ignore)

(defun until (what test)
  "Wait until TEST answers non-nil, which is answered, or fail with WHAT."
  (let ((end (+ (float-time) 40)) answer)
    (while (not (setq answer (funcall test)))
      (when (> (float-time) end)
        (error "It never came: %s; buffer: %S; said: %S" what (buffer-string) (seq-take said 5)))
      (accept-process-output nil 0.02)
      (redisplay))
    answer))

(defmacro wait-for (form)
  "Wait until FORM is non-nil, and answer its value."
  `(until ',form (lambda () ,form)))

(defmacro check (form)
  "Fail unless FORM is non-nil."
  `(unless ,form (error "Not so: %S; buffer: %S; said: %S" ',form (buffer-string) (seq-take said 5))))

(defun says (text) (seq-some (lambda (line) (string-match-p (regexp-quote text) line)) said))

(defun shows (text) (string-match-p (regexp-quote text) (buffer-string)))

(defun newest ()
  "Select the newest buffer of a task, when there is one."
  (let ((buffers (wait-for (seq-filter #'buffer-live-p (hash-table-values jobline--buffers)))))
    (set-buffer (car (last buffers)))
    (pop-to-buffer (current-buffer))))

(defun run (command)
  "Run COMMAND as by M-x jobline-run, and select its buffer."
  (let ((before (hash-table-count jobline--buffers)))
    (jobline-run command)
    (wait-for (> (hash-table-count jobline--buffers) before))
    (newest)))

(defun state () (plist-get jobline--task :state))

(defmacro typing (text &rest body)
  "Do BODY, whose prompts are answered with the keys TEXT."
  `(let ((unread-command-events (listify-key-sequence (kbd ,text)))) ,@body))
