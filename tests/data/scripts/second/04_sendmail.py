msg = "Subject: Test Email\n\nThis is the body of the email."
server.sendmail("your_email@gmail.com", "recipient_email@example.com", msg)
